#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace narrows {

/// Linear warm-up, then a half cosine down to a share of the peak (Loshchilov and Hutter 2017,
/// equation 5, without restarts).
struct LearningRate {
  double peak = 1e-3;
  /// Of the peak, at the end.
  double final_share = 0.01;
  /// Share of all steps.
  double warm_up = 0.05;

  double at(std::int64_t step, std::int64_t steps) const {
    const double t =
        static_cast<double>(step) / static_cast<double>(std::max<std::int64_t>(1, steps));
    if (t < warm_up)
      return peak * (t + 1.0 / static_cast<double>(steps)) /
             (warm_up + 1.0 / static_cast<double>(steps));
    const double share = std::clamp((t - warm_up) / std::max(1e-9, 1 - warm_up), 0.0, 1.0);
    const double wave = 0.5 * (1 + std::cos(std::numbers::pi * share));
    return peak * (final_share + (1 - final_share) * wave);
  }
};

enum class GrowthKind : std::uint8_t { power, exponential, constant };

/// The weight of the clustering loss over time: from about 0 to `most`.
struct Growth {
  GrowthKind kind = GrowthKind::power;
  double most = 0;
  /// power: most * (t / T)^exponent. exponential: most * (e^(exponent t / T) - 1) / (e^exponent -
  /// 1).
  double exponent = 2;

  double at(std::int64_t step, std::int64_t steps) const {
    const double t =
        static_cast<double>(step) / static_cast<double>(std::max<std::int64_t>(1, steps));
    switch (kind) {
      case GrowthKind::power:
        return most * std::pow(t, exponent);
      case GrowthKind::exponential:
        return most * std::expm1(exponent * t) / std::expm1(exponent);
      case GrowthKind::constant:
        break;
    }
    return most;
  }
};

}  // namespace narrows
