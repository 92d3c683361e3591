#include "narrows/codec/quantizer.h"

#include <algorithm>
#include <array>
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

/// Widest symbols for which comparing with every threshold is the fastest way.
constexpr int kComparedBits = 4;

std::array<float, 255> thresholdsOf(const std::vector<float>& levels) {
  std::array<float, 255> thresholds{};
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
    thresholds[i] = (levels[i] + levels[i + 1]) * 0.5F;
  }
  return thresholds;
}

void quantizeLevels(std::span<const float> values, const QuantizerParams& params,
                    std::span<std::uint8_t> symbols) {
  const std::array<float, 255> thresholds = thresholdsOf(params.levels);
  const std::size_t count = params.levels.size() - 1;
  if (params.bits <= kComparedBits) {
    for (std::size_t i = 0; i < values.size(); ++i) symbols[i] = 0;
    for (std::size_t k = 0; k < count; ++k) {
      const float threshold = thresholds[k];
      for (std::size_t i = 0; i < values.size(); ++i) {
        symbols[i] = static_cast<std::uint8_t>(symbols[i] +
                                               static_cast<std::uint8_t>(values[i] >= threshold));
      }
    }
    return;
  }
  // Thresholds ascend, as levels do, so those that x reaches are the first ones.
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::size_t reached = 0;
    for (std::size_t half = params.levels.size() / 2; half > 0; half /= 2) {
      reached += values[i] >= thresholds[reached + half - 1] ? half : 0;
    }
    symbols[i] = static_cast<std::uint8_t>(reached);
  }
}

void dequantizeLevels(std::span<const std::uint8_t> symbols, const std::vector<float>& levels,
                      std::span<float> values) {
  float table[256];
  std::fill(std::copy(levels.begin(), levels.end(), table), std::end(table), levels.back());
  for (std::size_t i = 0; i < symbols.size(); ++i) values[i] = table[symbols[i]];
}

}  // namespace

void quantize(TensorView map, const QuantizerParams& params, std::span<std::uint8_t> symbols) {
  const std::span<const float> values = map.as<float>();
  NARROWS_ASSERT(params.kind != QuantizerKind::none && symbols.size() == values.size());
  if (params.kind == QuantizerKind::levels) {
    NARROWS_ASSERT(params.levels.size() == std::size_t{1} << params.bits);
    return quantizeLevels(values, params, symbols);
  }
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
  if (params.kind == QuantizerKind::levels) {
    NARROWS_ASSERT(params.levels.size() == std::size_t{1} << params.bits);
    return dequantizeLevels(symbols, params.levels, values);
  }
  forEachRun(map.shape(), params, [&](std::size_t first, std::size_t count, std::size_t entry) {
    dequantizeRun(symbols.data() + first, count, params.low[entry], params.step[entry],
                  values.data() + first);
  });
}

}  // namespace narrows
