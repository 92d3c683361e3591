#pragma once

#include <cstdint>

#include "narrows/engine/executor/kernels/table.h"

/// Sums of products of 8-bit integers, four at a time: a quad is what four channels hold of a
/// pixel.
namespace narrows::executor {

/// Pixels whose quads lie at the same offsets from each one's first.
struct QuadRun {
  const std::uint8_t* input = nullptr;
  const std::int64_t* offsets = nullptr;  // bytes
  std::int64_t depth = 0;                 // quads of a pixel
  std::int64_t input_pitch = 0;           // bytes from one pixel's first quad to the next one's
  std::uint8_t* output = nullptr;
  std::int64_t output_pitch = 0;
  std::int64_t count = 0;
};

/// Weights of up to `QuadKernels::vectors` vectors of results: for every quad in turn four numbers
/// of each result, padded with zeros. A sum times its result's factor, plus its shift, is what the
/// activation is applied to.
struct QuadPanel {
  const std::int8_t* weights = nullptr;
  const float* factors = nullptr;
  const float* shifts = nullptr;
  std::int64_t vectors = 1;
  std::int64_t channels = 1;
};

struct QuadKernels {
  std::int64_t lanes;    // results of a vector
  std::int64_t vectors;  // most vectors of a panel

  /// Stores the bytes of the whole numbers nearest to activation(...) * factor + zero in the range.
  void (*multiply)(const QuadRun& run, const QuadPanel& panel, const Activation& activation,
                   const ByteRange& range);
  /// Quads of `count` pixels of up to four planes `pitch` floats apart, each number stored as
  /// `range` says; channels without a plane hold 0.
  void (*gather)(const float* planes, std::int64_t pitch, std::int64_t channels,
                 const ByteRange& range, std::uint8_t* quads, std::int64_t count);
};

/// Those of this CPU; null where it has no instruction for them.
const QuadKernels* quadKernels();

#if defined(__x86_64__)
/// With AVX-512 VNNI.
const QuadKernels& avx512Quads();
#endif

}  // namespace narrows::executor
