#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "narrows/tensor/tensor.h"

namespace narrows::test {

/// Largest difference of an element, relative to the range of `expected`, or to its magnitude where
/// all of it is one number. 0 only for equal bits;
/// infinite for another type, or for differing elements that are not f32.
inline double differenceOf(TensorView actual, TensorView expected) {
  const ByteSpan a = actual.bytes();
  const ByteSpan b = expected.bytes();
  if (actual.type() != expected.type()) return INFINITY;
  if (std::equal(a.begin(), a.end(), b.begin(), b.end())) return 0;
  if (expected.dtype() != DType::f32) return INFINITY;
  const auto x = actual.as<float>();
  const auto y = expected.as<float>();
  const auto [low, high] = std::minmax_element(y.begin(), y.end());
  double worst = std::numeric_limits<double>::min();
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(x[i]) - y[i]);
    worst = std::isfinite(difference) ? std::max(worst, difference) : INFINITY;
  }
  const double range = static_cast<double>(*high) - *low;
  return worst / std::max(range > 0 ? range : std::fabs(static_cast<double>(*high)), 1e-12);
}

}  // namespace narrows::test
