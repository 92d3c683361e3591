#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"

namespace narrows {

/// What a design is judged by. Less is better in all of them.
enum class Objective : std::uint8_t {
  /// Points of accuracy lost against the uncut network.
  drop,
  /// Seconds from picture to answer.
  latency,
  /// Joules of the node for a picture.
  energy,
  /// On the link, framing included.
  bytes,
  /// Seconds between two pictures when they follow each other as fast as they can.
  period,
};
inline constexpr std::size_t kObjectives = 5;

std::string_view toString(Objective objective);
/// The inverse; the error lists the known names. "throughput" is another name of period.
Result<Objective> parseObjective(std::string_view name);

/// By objective.
using Scores = std::array<double, kObjectives>;

inline double at(const Scores& scores, Objective objective) {
  return scores[static_cast<std::size_t>(objective)];
}
inline double& at(Scores& scores, Objective objective) {
  return scores[static_cast<std::size_t>(objective)];
}

/// Whether `a` is nowhere worse than `b` in the objectives.
bool coversIn(const std::vector<Objective>& objectives, const Scores& a, const Scores& b);

/// Positions of the points that no other point dominates, ascending. Of equal points the first one
/// stays. O(n log n + n f) for a front of f points.
std::vector<std::size_t> paretoSet(const std::vector<Objective>& objectives,
                                   const std::vector<Scores>& points);

}  // namespace narrows
