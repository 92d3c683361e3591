#pragma once

#include "narrows/engine/executor/backend.h"
#include "narrows/engine/executor/kernels/quads.h"
#include "narrows/engine/executor/kernels/table.h"

namespace narrows::executor {

/// Most channels of an input that is read as planes.
constexpr std::int64_t kMostPlanes = 4;

/// Whether the input is a few planes (row-major), as a first layer's, that the kernel for them
/// reads.
bool isPlanar(const ConvProblem& problem);

/// Whether the executor's own kernels compute the problem in just these layouts. They take any map
/// as input, also a slice of another, and maps without gaps between rows as output; a first layer
/// may read its few channels as planes (row-major).
bool ownConvTakes(const ConvProblem& problem);

/// The own kernel for a problem that `ownConvTakes` accepts.
std::unique_ptr<ConvKernel> makeOwnConv(const ConvProblem& problem, const KernelTable& table);

/// Work space in bytes of the own kernel on one thread, for a problem of one group whose input is a
/// map.
std::size_t ownStripeScratch(const ConvProblem& problem, const KernelTable& table);

/// How numbers are stored in a map of integers.
ByteRange byteRange(const ScaledMap& map);

/// The kernel for a planar problem whose input is f32 and whose output a dense map of integers.
std::unique_ptr<ByteKernel> makePlanarBytes(const CompactConv& conv, const KernelTable& table);
/// The same with products of integers: `conv.input` says, of planes of f32, how each number becomes
/// a byte of u8.
std::unique_ptr<ByteKernel> makePlanarQuads(const CompactConv& conv, const QuadKernels& kernels);

}  // namespace narrows::executor
