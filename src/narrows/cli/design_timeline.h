#pragma once

#include <cstddef>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/cost/group_simulator.h"
#include "narrows/explore/explorer.h"
#include "narrows/explore/split_pricing.h"
#include "narrows/explore/store.h"

namespace narrows {

struct ExplorationDocument;

/// A design with several frames on their way, simulated.
struct DesignTimeline {
  /// Position in the exploration.
  std::size_t design = 0;
  Simulation simulation;
};

/// Frames of a timeline, and how many of them are on their way at once: one for each of node, link
/// and server.
inline constexpr std::size_t kTimelineFrames = 5;
inline constexpr std::size_t kTimelineInFlight = 3;

/// Simulates every design of the Pareto set. `times` by cut, as the store has them.
Status addTimelines(ExplorationDocument& document, const SplitPricer& splits, SplitPricing& pricing,
                    const std::map<std::string, CutTimes>& times);

/// Steps of a timeline as rows: frame, place ("node", "link" or "server"), activity, start and end
/// in milliseconds.
nlohmann::ordered_json timelineJson(const DesignTimeline& timeline);

}  // namespace narrows
