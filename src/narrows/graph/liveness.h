#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "narrows/graph/graph.h"

namespace narrows {

/// A buffer that is in use during the steps [first, last], both included.
struct BufferLifetime {
  std::size_t first = 0;
  std::size_t last = 0;
  std::size_t bytes = 0;
};

struct ArenaPlan {
  /// One for each buffer, a multiple of the alignment; 0 for an empty one.
  std::vector<std::size_t> offsets;
  /// Bytes of the arena.
  std::size_t total = 0;
};

/// Places buffers in one arena so that no two that are in use at once overlap. Greedy: the largest
/// buffer first, each into the smallest gap that holds it (Pisarchyk and Lee 2020, "Efficient
/// memory management for deep neural net inference", greedy by size). Sizes are rounded up to
/// `alignment`, a power of two.
ArenaPlan planArena(std::span<const BufferLifetime> buffers, std::size_t alignment = 64);

/// The most bytes in use at one step, sizes rounded up; no plan can be smaller.
std::size_t arenaLowerBound(std::span<const BufferLifetime> buffers, std::size_t alignment = 64);

/// The value whose elements `value` holds unchanged and in the same order: it looks through
/// identity and reshape nodes.
ValueId storageOf(const Graph& graph, ValueId value);

struct MemoryNeed {
  /// Largest sum of live activations at one node, its operands and results, the inputs that are
  /// still read and the outputs so far included. Reshapes take no memory.
  std::size_t activations = 0;
  /// Constants that the nodes read, each tensor once.
  std::size_t weights = 0;

  std::size_t total() const { return activations + weights; }
};

/// Bytes the graph needs when its nodes run in order and each tensor is freed after its last use.
MemoryNeed peakMemory(const Graph& graph);
/// The same for the part of the graph that `nodesBetween(graph, inputs, outputs)` lists.
MemoryNeed peakMemory(const Graph& graph, std::span<const NodeId> nodes,
                      std::span<const ValueId> inputs, std::span<const ValueId> outputs);

}  // namespace narrows
