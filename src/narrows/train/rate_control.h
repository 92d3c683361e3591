#pragma once

#include <algorithm>
#include <cmath>

namespace narrows {

/// Drives the weight of an expected bit so that frames reach a length: multiplicative steps, as
/// rate controllers of video coders take them.
struct RateControl {
  /// Mean bytes of a frame, framing included; 0: the weight stays as it is.
  double target_bytes = 0;
  /// Share of the other losses that the bits weigh at first.
  double first_share = 0.1;
  /// The weight grows by the square of how much too long frames are, at most by this much from one
  /// measured length to the next.
  double most_change = 4;

  bool active() const { return target_bytes > 0; }

  /// The weight after an epoch whose frames have `bytes` on average; `task_loss` and
  /// `expected_bits` (of a frame) are that epoch's means.
  double next(double weight, double bytes, double loss, double expected_bits) const {
    if (!active()) return weight;
    if (weight == 0) {
      if (bytes <= target_bytes || expected_bits <= 0) return 0;
      return first_share * std::abs(loss) / expected_bits;
    }
    const double excess = bytes / target_bytes;
    return weight * std::clamp(excess * excess, 1 / most_change, most_change);
  }

  /// Whether a state of such a figure and length is to be kept instead of the best one so far: one
  /// that keeps to the target comes before any that does not, among these the shorter is better.
  bool better(double figure, double bytes, double best_figure, double best_bytes) const {
    if (!active()) return figure > best_figure;
    const bool fits = bytes <= target_bytes;
    const bool best_fits = best_bytes <= target_bytes;
    if (fits != best_fits) return fits;
    return fits ? figure > best_figure : bytes < best_bytes;
  }
};

}  // namespace narrows
