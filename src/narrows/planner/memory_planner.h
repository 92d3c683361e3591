#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/cost/device_group.h"
#include "narrows/plan/group.h"

/// Plans for one device that is too small for a network: pieces in a row, each layer with its
/// weights streamed from a file (the idea of HyPS, Kaboubi et al., ANTIC 2022).
namespace narrows {

struct MemoryPlannerOptions {
  /// Bytes for the program, maps and what is there of the weights.
  double memory = 0;
  /// Bytes of weights that are read in a second.
  double read_bytes_per_s = 100e6;
  /// Of them, what the program itself takes.
  double program = 0;
  /// Bytes for weights that have been read and not yet been packed.
  double window = 8 << 20;
  /// Bytes that a piece's program takes while it runs, with those of weights that it packs at once;
  /// inputs, outputs and the window left out. Empty: they are estimated from the liveness of its
  /// graph.
  std::function<Result<std::size_t>(const Graph&)> program_memory = {};
};

struct MemoryPlanning {
  GroupDesign design;
  SplitModel split;
  /// Most bytes at any time, the program's included, and the piece that needs them.
  std::size_t peak = 0;
  std::size_t peak_piece = 0;
  /// Modelled: each layer of all pieces, computed while its weights are read; and the whole network
  /// without a limit after its weights have been read once.
  Seconds time;
  Seconds floor;
  /// Weights read, tiles of one stage each read theirs.
  std::size_t weight_bytes = 0;
};

/// Bytes while each piece runs: of the program, tensors as `Sequence` keeps them, the piece's own
/// memory and what is there of its weights.
Result<std::vector<std::size_t>> sequenceMemory(const SplitModel& split,
                                                const MemoryPlannerOptions& options);

/// Stages of whole layers, fused tiles or filter slices on the one device of the group, in the
/// order that a dynamic programme over boundaries finds fastest within the memory. Fails when some
/// layer fits in no way; the error names it and what it needs.
Result<MemoryPlanning> planWithinMemory(const Graph& graph, const DeviceGroup& group,
                                        const MemoryPlannerOptions& options);

}  // namespace narrows
