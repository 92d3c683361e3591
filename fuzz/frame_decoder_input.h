#pragma once

#include <cstddef>
#include <vector>

#include "narrows/codec/params.h"

/// Layout of an input of the frame decoder's fuzz target: one byte that names an interface (its
/// value modulo the number of interfaces) and one that says what follows: 255 for a whole frame,
/// any other for a payload of form `value % 4`, which the target frames itself so that the checksum
/// does not keep it from the coders.
namespace narrows::fuzz {

inline constexpr unsigned kWholeFrame = 255;

/// Small maps of every coder and of several widths, granularities and types.
std::vector<FeatureInterface> frameDecoderInterfaces();

}  // namespace narrows::fuzz
