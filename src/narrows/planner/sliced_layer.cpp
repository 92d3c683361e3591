#include "narrows/planner/sliced_layer.h"

#include <algorithm>
#include <optional>

#include "narrows/graph/part.h"

namespace narrows {
namespace {

bool isElementwise(const Op& op) {
  return std::holds_alternative<Unary>(op) || std::holds_alternative<LeakyRelu>(op) ||
         std::holds_alternative<Elu>(op) || std::holds_alternative<Clip>(op) ||
         std::holds_alternative<HardSigmoid>(op) || std::holds_alternative<BatchNorm>(op) ||
         std::holds_alternative<Identity>(op);
}

/// The one node that reads `value` behind elementwise ones; nothing when several do.
std::optional<NodeId> onlyReader(const Graph& graph, ValueId value) {
  for (;;) {
    const auto readers = graph.consumers(value);
    if (readers.size() != 1 || graph.isOutput(value)) return std::nullopt;
    const Node& reader = graph.node(readers[0]);
    if (!isElementwise(reader.op)) return readers[0];
    value = reader.outputs[0];
  }
}

}  // namespace

std::vector<SlicedLayer> slicedLayers(const Graph& graph, bool dense) {
  std::vector<SlicedLayer> layers;
  std::optional<NodeId> next;
  for (std::size_t n = 0; n < graph.nodeCount(); ++n) {
    const Node& node = graph.nodes()[n];
    const bool convolution = std::holds_alternative<Conv2d>(node.op);
    if (!convolution && !(dense && summedLayer(graph, NodeId(n)))) continue;
    SlicedLayer layer;
    layer.node = NodeId(n);
    layer.input = graph.shape(node.inputs[0]).elements();
    layer.output = graph.shape(node.outputs[0]).elements();
    layer.weights = graph.shape(node.inputs[1]).elements();
    layer.follows = !layers.empty() && next == NodeId(n);
    layers.push_back(layer);
    next = onlyReader(graph, node.outputs[0]);
  }
  return layers;
}

}  // namespace narrows
