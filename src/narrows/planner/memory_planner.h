#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/cost/device_group.h"
#include "narrows/plan/group.h"

/// Plans for one device that is too small for a network: pieces in a row, each with its weights
/// read when it runs and gone when it is done (the idea of HyPS, Kaboubi et al., ANTIC 2022).
namespace narrows {

struct MemoryPlannerOptions {
  /// Bytes for weights and maps together.
  double memory = 0;
  /// Bytes of weights that are read in a second.
  double read_bytes_per_s = 100e6;
};

struct MemoryPlanning {
  GroupDesign design;
  SplitModel split;
  /// Most bytes at any time, and the piece that needs them.
  std::size_t peak = 0;
  std::size_t peak_piece = 0;
  /// Modelled: computing all pieces and reading their weights; and the whole network without a
  /// limit with its weights read once.
  Seconds time;
  Seconds floor;
  /// Weights read, tiles of one stage each read theirs.
  std::size_t weight_bytes = 0;
};

/// Bytes while each piece runs: its weights, its inputs, results and what is between, and results
/// of earlier pieces (and inputs of the model) that later ones read. A piece that takes a whole
/// value reads it in place.
std::vector<std::size_t> sequenceMemory(const SplitModel& split);

/// Stages of whole layers, fused tiles or filter slices on the one device of the group, in the
/// order that a dynamic programme over boundaries finds fastest within the memory. Fails when some
/// layer fits in no way; the error names it and what it needs.
Result<MemoryPlanning> planWithinMemory(const Graph& graph, const DeviceGroup& group,
                                        const MemoryPlannerOptions& options);

}  // namespace narrows
