#pragma once

#include <optional>
#include <string>

#include "narrows/base/units.h"
#include "narrows/cost/layer_terms.h"

namespace narrows {

/// Predicts the time of layers on a device from what they do: the sum of its terms, each times a
/// price. A roofline of several kinds of layers, with sums in place of maxima.
struct TimePredictor {
  /// Nanoseconds for one unit of each term; at least 0.
  Terms nanoseconds;
  /// Median error of the times of pieces of networks that were left out of the fit; absent when
  /// there was but one network.
  std::optional<double> error_percent;
  std::string source;

  Seconds time(const Terms& terms) const;
};

}  // namespace narrows
