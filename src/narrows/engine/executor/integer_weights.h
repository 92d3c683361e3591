#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace narrows::executor {

/// Integers nearest to weights / scale, with a scale for each result channel that makes its largest
/// weight 127.
struct IntegerWeights {
  std::vector<std::int8_t> values;
  std::vector<float> scales;

  IntegerWeights(std::span<const float> weights, std::int64_t channels) {
    const auto count = static_cast<std::size_t>(channels);
    const std::size_t each = weights.size() / count;
    values.resize(weights.size());
    for (std::size_t c = 0; c < count; ++c) {
      const auto row = weights.subspan(c * each, each);
      float most = 0;
      for (float weight : row) most = std::max(most, std::abs(weight));
      const float scale = most > 0 ? most / 127.0F : 1.0F;
      scales.push_back(scale);
      for (std::size_t i = 0; i < each; ++i)
        values[c * each + i] = static_cast<std::int8_t>(std::lrintf(row[i] / scale));
    }
  }
};

}  // namespace narrows::executor
