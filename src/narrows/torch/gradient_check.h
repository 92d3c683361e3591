#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "narrows/tensor/tensor.h"

namespace narrows::test {

/// Elements uniform in [low, high).
inline Tensor uniformTensor(Shape shape, std::uint64_t seed, double low = -1, double high = 1) {
  std::mt19937_64 random(seed);
  Tensor tensor(DType::f64, shape);
  for (double& element : tensor.mutableAs<double>()) {
    element = low + (high - low) * static_cast<double>(random() >> 11) * 0x1p-53;
  }
  return tensor;
}

/// Expects that `gradient` is the derivative of `loss` at `point`, by central differences at up to
/// `probes` elements. `kinks` of the probes may be off: where the two one-sided differences
/// disagree there is no derivative.
inline void expectGradient(const std::function<double(const Tensor&)>& loss, const Tensor& point,
                           const Tensor& gradient, double tolerance = 1e-5,
                           std::size_t probes = 24) {
  ASSERT_EQ(point.as<double>().size(), gradient.as<double>().size());
  constexpr double kStep = 1e-6;
  const std::size_t count = point.as<double>().size();
  const std::size_t stride = std::max<std::size_t>(1, count / probes);
  const double here = loss(point);
  for (std::size_t i = 0; i < count; i += stride) {
    Tensor moved = point.clone();
    moved.mutableAs<double>()[i] += kStep;
    const double above = loss(moved);
    moved.mutableAs<double>()[i] -= 2 * kStep;
    const double below = loss(moved);
    const double right = (above - here) / kStep;
    const double left = (here - below) / kStep;
    const double scale = std::max({1.0, std::abs(left), std::abs(right)});
    if (std::abs(right - left) > 1e-3 * scale) continue;  // a kink
    EXPECT_NEAR(gradient.as<double>()[i], (above - below) / (2 * kStep), tolerance * scale)
        << "element " << i;
  }
}

}  // namespace narrows::test
