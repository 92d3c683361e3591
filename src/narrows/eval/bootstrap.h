#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace narrows {

/// Between which a figure lies at a confidence of 95 %.
struct Interval {
  double low = 0;
  double high = 0;
};

struct BootstrapOptions {
  std::size_t resamples = 1000;
  std::uint64_t seed = 1;
};

/// Percentile interval of a figure of a sample of `items` (Efron 1979; Efron and Tibshirani 1993,
/// section 13.3): `figure` is asked for resamples of the same size, drawn with replacement, each as
/// indices into the items. A figure that is the difference of two systems on one resample gives the
/// paired interval. `items` > 0; the same seed gives the same interval.
Interval bootstrap(std::size_t items, const BootstrapOptions& options,
                   const std::function<double(std::span<const std::size_t>)>& figure);

}  // namespace narrows
