#include <algorithm>

#include "narrows/graph/part.h"
#include "narrows/planner/group_planner.h"
#include "narrows/planner/weight_slicing.h"

namespace narrows {
namespace {

bool isElementwise(const Op& op) {
  return std::holds_alternative<Unary>(op) || std::holds_alternative<LeakyRelu>(op) ||
         std::holds_alternative<Elu>(op) || std::holds_alternative<Clip>(op) ||
         std::holds_alternative<HardSigmoid>(op) || std::holds_alternative<BatchNorm>(op);
}

/// Behind the elementwise nodes that follow node `n`, each on the one before.
std::size_t behindActivations(const Graph& graph, std::size_t n) {
  while (n + 1 < graph.nodeCount() && isElementwise(graph.nodes()[n + 1].op) &&
         graph.nodes()[n + 1].inputs[0] == graph.nodes()[n].outputs[0]) {
    ++n;
  }
  return n + 1;
}

}  // namespace

Result<GroupDesign> publishedScheme(const Graph& graph, const DeviceGroup& group,
                                    std::size_t first_sliced, bool fused, std::size_t rows,
                                    std::size_t columns) {
  const auto layers = slicedLayers(graph);
  if (first_sliced > layers.size()) {
    return makeError("slicing from layer {} of {}", first_sliced, layers.size());
  }
  const std::size_t count = group.devices.size();
  if (count == 0) return makeError("a group without devices");
  const DeviceId gateway(group.source);
  std::vector<DeviceId> devices;
  for (std::size_t d = 0; d < count; ++d) devices.emplace_back(d);
  GroupDesign design;
  for (const GroupDevice& device : group.devices) design.devices.push_back({device.name});
  design.source = gateway;
  design.sink = DeviceId(group.sink);

  std::size_t begin = 0;
  if (first_sliced > 0) {
    begin = first_sliced < layers.size() ? layers[first_sliced].node.index() : graph.nodeCount();
    GridStage tiles;
    tiles.rows.assign(rows, 1);
    tiles.columns.assign(columns, 1);
    for (std::size_t t = 0; t < rows * columns; ++t) tiles.devices.push_back(devices[t % count]);
    design.stages.push_back({begin, std::move(tiles)});
  }
  const std::span<const SlicedLayer> sliced(
      layers.begin() + static_cast<std::ptrdiff_t>(first_sliced), layers.end());
  const auto n = static_cast<std::int64_t>(count);
  SlicingPlan choices = fused ? sliceByPath(sliced, n) : sliceFiltersOnly(sliced, n);
  // Depthwise layers make no partial sums, and those of the last node could not be added up.
  for (std::size_t l = sliced.size(); l-- > 0;) {
    const std::size_t node = sliced[l].node.index();
    const bool sums = summedLayer(graph, sliced[l].node) && node + 1 < graph.nodeCount();
    if (choices.layers[l] == Slicing::filters || sums) continue;
    if (choices.layers[l] == Slicing::fused_second) choices.layers[l - 1] = Slicing::filters;
    if (choices.layers[l] != Slicing::fused_first) choices.layers[l] = Slicing::filters;
  }
  const std::vector<double> even(count, 1.0);
  for (std::size_t l = 0; l < sliced.size(); ++l) {
    const std::size_t node = sliced[l].node.index();
    // A second of a pair goes on from where the first one's slices are.
    const bool pair_ends = choices.layers[l] == Slicing::fused_second;
    if (node > begin && !pair_ends) {
      design.stages.push_back({node, WholeStage{gateway}});
    }
    begin = behindActivations(graph, node);
    switch (choices.layers[l]) {
      case Slicing::fused_first:
        continue;
      case Slicing::filters:
        design.stages.push_back({begin, FilterStage{even, devices}});
        break;
      case Slicing::channels:
      case Slicing::fused_second:
        design.stages.push_back({node + 1, SumStage{even, devices}});
        if (begin > node + 1) design.stages.push_back({begin, WholeStage{gateway}});
        break;
    }
    begin = design.stages.back().end;
  }
  if (begin < graph.nodeCount()) design.stages.push_back({graph.nodeCount(), WholeStage{gateway}});
  return design;
}

}  // namespace narrows
