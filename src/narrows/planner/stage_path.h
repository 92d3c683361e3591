#pragma once

#include <cstddef>
#include <vector>

#include "narrows/planner/stage_space.h"

namespace narrows {

/// What a path through a stage space is charged for.
struct StagePrices {
  /// For each second between the first stage's begin and the last one's end, stages in a row.
  double second = 0;
  /// For each byte that moves between devices.
  double byte = 0;
  /// By device: for each second of computing and each byte of weights.
  std::vector<double> busy;
  std::vector<double> weight;
  /// Bytes of memory by device; a stage that needs more alone is left out. Infinite for no limit.
  std::vector<double> memory;
  /// No stage is divided over more devices.
  std::size_t most_devices = static_cast<std::size_t>(-1);
};

struct StagePath {
  /// Indices of stages, in order; empty when no path exists.
  std::vector<std::size_t> stages;
  double price = 0;
};

/// The cheapest path from the source to the sink, by a dynamic programme over boundaries and
/// layouts. A stage starts when the one before has ended everywhere, and values that cross several
/// stages count as lying as the last one left its results.
StagePath cheapestPath(const StageSpace& space, const DeviceGroup& group,
                       const StagePrices& prices);

}  // namespace narrows
