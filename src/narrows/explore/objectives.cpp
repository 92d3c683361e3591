#include "narrows/explore/objectives.h"

#include <algorithm>
#include <numeric>

namespace narrows {
namespace {

constexpr std::array<std::string_view, kObjectives> kNames{"drop", "latency", "energy", "bytes",
                                                           "period"};

}  // namespace

std::string_view toString(Objective objective) {
  return kNames[static_cast<std::size_t>(objective)];
}

Result<Objective> parseObjective(std::string_view name) {
  if (name == "throughput") return Objective::period;
  for (std::size_t i = 0; i < kObjectives; ++i) {
    if (kNames[i] == name) return static_cast<Objective>(i);
  }
  return makeError("unknown objective \"{}\", expected drop, latency, energy, bytes or throughput",
                   name);
}

bool coversIn(const std::vector<Objective>& objectives, const Scores& a, const Scores& b) {
  return std::all_of(objectives.begin(), objectives.end(),
                     [&](Objective objective) { return at(a, objective) <= at(b, objective); });
}

std::vector<std::size_t> paretoSet(const std::vector<Objective>& objectives,
                                   const std::vector<Scores>& points) {
  // In this order nothing is dominated by what comes later.
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    for (Objective objective : objectives) {
      if (at(points[a], objective) != at(points[b], objective))
        return at(points[a], objective) < at(points[b], objective);
    }
    return a < b;
  });
  std::vector<std::size_t> front;
  for (std::size_t candidate : order) {
    const bool covered = std::any_of(front.begin(), front.end(), [&](std::size_t member) {
      return coversIn(objectives, points[member], points[candidate]);
    });
    if (!covered) front.push_back(candidate);
  }
  std::sort(front.begin(), front.end());
  return front;
}

}  // namespace narrows
