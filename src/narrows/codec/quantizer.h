#pragma once

#include <cstdint>
#include <span>

#include "narrows/codec/params.h"
#include "narrows/tensor/tensor.h"

/// The quantizers of `QuantizerKind`. Every function asserts that the parameters are valid for the
/// map's type (see `validate`) and that `symbols` has one entry for each element, row-major.
namespace narrows {

/// Maps each element of an f32 map to its symbol in [0, 2^bits). Not for QuantizerKind::none.
void quantize(TensorView map, const QuantizerParams& params, std::span<std::uint8_t> symbols);

/// The level of each symbol. A symbol of 2^bits or more gives a level beyond the highest one, with
/// QuantizerKind::levels the highest one.
void dequantize(std::span<const std::uint8_t> symbols, const QuantizerParams& params,
                MutableTensorView map);

}  // namespace narrows
