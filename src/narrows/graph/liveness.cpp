#include "narrows/graph/liveness.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <unordered_set>

namespace narrows {
namespace {

std::size_t roundUp(std::size_t bytes, std::size_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

struct Placed {
  std::size_t offset = 0;
  std::size_t bytes = 0;
};

/// Start of the smallest gap of at least `bytes` between `busy` ranges (sorted by offset), or the
/// end of the last.
std::size_t bestGap(std::span<const Placed> busy, std::size_t bytes) {
  std::size_t end = 0;
  std::size_t best = std::numeric_limits<std::size_t>::max();
  std::size_t best_size = std::numeric_limits<std::size_t>::max();
  for (const Placed& range : busy) {
    if (range.offset > end) {
      const std::size_t gap = range.offset - end;
      if (gap >= bytes && gap < best_size) {
        best = end;
        best_size = gap;
      }
    }
    end = std::max(end, range.offset + range.bytes);
  }
  return best_size == std::numeric_limits<std::size_t>::max() ? end : best;
}

}  // namespace

ArenaPlan planArena(std::span<const BufferLifetime> buffers, std::size_t alignment) {
  NARROWS_ASSERT(alignment > 0 && (alignment & (alignment - 1)) == 0);
  std::vector<std::size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return buffers[a].bytes > buffers[b].bytes;
  });
  ArenaPlan plan;
  plan.offsets.assign(buffers.size(), 0);
  std::vector<std::size_t> placed;  // indices of buffers, by offset
  std::vector<Placed> busy;
  for (std::size_t index : order) {
    const BufferLifetime& buffer = buffers[index];
    NARROWS_ASSERT(buffer.first <= buffer.last);
    const std::size_t bytes = roundUp(buffer.bytes, alignment);
    if (bytes == 0) continue;
    busy.clear();
    for (std::size_t other : placed) {
      if (buffers[other].last < buffer.first || buffers[other].first > buffer.last) continue;
      busy.push_back({plan.offsets[other], roundUp(buffers[other].bytes, alignment)});
    }
    const std::size_t offset = bestGap(busy, bytes);
    plan.offsets[index] = offset;
    plan.total = std::max(plan.total, offset + bytes);
    const auto position = std::upper_bound(
        placed.begin(), placed.end(), offset,
        [&](std::size_t value, std::size_t other) { return value < plan.offsets[other]; });
    placed.insert(position, index);
  }
  return plan;
}

std::size_t arenaLowerBound(std::span<const BufferLifetime> buffers, std::size_t alignment) {
  std::size_t steps = 0;
  for (const BufferLifetime& buffer : buffers) steps = std::max(steps, buffer.last + 1);
  std::vector<std::size_t> begins(steps + 1, 0);
  std::vector<std::size_t> ends(steps + 1, 0);
  for (const BufferLifetime& buffer : buffers) {
    begins[buffer.first] += roundUp(buffer.bytes, alignment);
    ends[buffer.last + 1] += roundUp(buffer.bytes, alignment);
  }
  std::size_t live = 0;
  std::size_t most = 0;
  for (std::size_t step = 0; step < steps; ++step) {
    live += begins[step];
    live -= ends[step];
    most = std::max(most, live);
  }
  return most;
}

ValueId storageOf(const Graph& graph, ValueId value) {
  while (graph.value(value).producer.valid()) {
    const Node& node = graph.node(graph.value(value).producer);
    if (!std::holds_alternative<Identity>(node.op) && !std::holds_alternative<Reshape>(node.op)) {
      break;
    }
    value = node.inputs[0];
  }
  return value;
}

MemoryNeed peakMemory(const Graph& graph) {
  return peakMemory(graph, nodeIds(graph), graph.inputs(), graph.outputs());
}

MemoryNeed peakMemory(const Graph& graph, std::span<const NodeId> nodes,
                      std::span<const ValueId> inputs, std::span<const ValueId> outputs) {
  // Storage is followed inside the part only: a given value is a root of its own.
  std::vector<ValueId> root(graph.valueCount());
  std::vector<BufferLifetime> buffers;
  std::vector<std::size_t> buffer_of(graph.valueCount());
  MemoryNeed need;
  std::unordered_set<const Tensor*> weights;
  const auto open = [&](ValueId value, std::size_t step) {
    if (root[value.index()].valid()) return;
    root[value.index()] = value;
    buffer_of[value.index()] = buffers.size();
    buffers.push_back({step, step, graph.type(value).bytes()});
  };
  const auto use = [&](ValueId value, std::size_t step) {
    if (!value.valid()) return;
    const Value& stored = graph.value(value);
    if (!root[value.index()].valid()) {
      NARROWS_ASSERT(stored.isConstant());
      if (weights.insert(stored.constant.get()).second) need.weights += stored.type.bytes();
      return;
    }
    buffers[buffer_of[root[value.index()].index()]].last = step;
  };
  for (ValueId input : inputs) open(input, 0);
  for (std::size_t step = 0; step < nodes.size(); ++step) {
    const Node& node = graph.node(nodes[step]);
    for (ValueId input : node.inputs) use(input, step);
    const bool in_place =
        std::holds_alternative<Identity>(node.op) || std::holds_alternative<Reshape>(node.op);
    for (ValueId output : node.outputs) {
      if (in_place && root[node.inputs[0].index()].valid() && !root[output.index()].valid()) {
        root[output.index()] = root[node.inputs[0].index()];
      } else {
        open(output, step);
      }
    }
  }
  const std::size_t last = nodes.empty() ? 0 : nodes.size() - 1;
  for (ValueId output : outputs) use(output, last);
  need.activations = arenaLowerBound(buffers, 1);
  return need;
}

}  // namespace narrows
