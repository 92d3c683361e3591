#include "narrows/codec/quantizer.h"

#include <cstddef>

#include "narrows/base/assert.h"

// Loops here carry nothing from one element to the next and use only single f32 operations that
// IEEE 754 defines to the bit, so that the compiler may vectorise them without changing a result.
namespace narrows {
namespace {

/// A map as runs of elements that share one entry of the parameters.
struct Runs {
  std::size_t outer = 1;
  std::size_t channels = 1;
  std::size_t inner = 1;
};

Runs runsOf(const Shape& shape, Granularity granularity) {
  if (granularity == Granularity::tensor) {
    return {1, 1, static_cast<std::size_t>(shape.elements())};
  }
  Runs runs{static_cast<std::size_t>(shape[0]), static_cast<std::size_t>(shape[1]), 1};
  for (std::size_t axis = 2; axis < shape.rank(); ++axis) {
    runs.inner *= static_cast<std::size_t>(shape[axis]);
  }
  return runs;
}

/// Calls `body(first element, count, entry)` for every run.
template <class Body>
void forEachRun(const Shape& shape, const QuantizerParams& params, const Body& body) {
  const Runs runs = runsOf(shape, params.granularity);
  NARROWS_ASSERT(params.low.size() == runs.channels && params.step.size() == runs.channels);
  std::size_t first = 0;
  for (std::size_t n = 0; n < runs.outer; ++n) {
    for (std::size_t c = 0; c < runs.channels; ++c) {
      body(first, runs.inner, c);
      first += runs.inner;
    }
  }
}

void quantizeUniform(const float* values, std::size_t count, float low, float step, float top,
                     std::uint8_t* symbols) {
  for (std::size_t i = 0; i < count; ++i) {
    float t = (values[i] - low) / step + 0.5F;
    // A NaN fails the comparison and becomes 0. After it truncation is the floor.
    t = t > 0.0F ? t : 0.0F;
    t = t < top ? t : top;
    symbols[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(t));
  }
}

void quantizeTwoLevel(const float* values, std::size_t count, float threshold,
                      std::uint8_t* symbols) {
  for (std::size_t i = 0; i < count; ++i) {
    symbols[i] = static_cast<std::uint8_t>(values[i] >= threshold);
  }
}

void dequantizeRun(const std::uint8_t* symbols, std::size_t count, float low, float step,
                   float* values) {
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = low + step * static_cast<float>(static_cast<std::int32_t>(symbols[i]));
  }
}

}  // namespace

void quantize(TensorView map, const QuantizerParams& params, std::span<std::uint8_t> symbols) {
  const std::span<const float> values = map.as<float>();
  NARROWS_ASSERT(params.kind != QuantizerKind::none && symbols.size() == values.size());
  const auto top = static_cast<float>((1 << params.bits) - 1);
  forEachRun(map.shape(), params, [&](std::size_t first, std::size_t count, std::size_t entry) {
    const float low = params.low[entry];
    const float step = params.step[entry];
    if (params.kind == QuantizerKind::two_level) {
      quantizeTwoLevel(values.data() + first, count, low + step, symbols.data() + first);
    } else {
      quantizeUniform(values.data() + first, count, low, step, top, symbols.data() + first);
    }
  });
}

void dequantize(std::span<const std::uint8_t> symbols, const QuantizerParams& params,
                MutableTensorView map) {
  const std::span<float> values = map.as<float>();
  NARROWS_ASSERT(params.kind != QuantizerKind::none && symbols.size() == values.size());
  forEachRun(map.shape(), params, [&](std::size_t first, std::size_t count, std::size_t entry) {
    dequantizeRun(symbols.data() + first, count, params.low[entry], params.step[entry],
                  values.data() + first);
  });
}

}  // namespace narrows
