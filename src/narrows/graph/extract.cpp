#include "narrows/graph/extract.h"

#include <algorithm>

#include "narrows/graph/copy.h"

namespace narrows {
namespace {

Status expectDistinct(const Graph& graph, std::span<const ValueId> values, std::string_view what) {
  std::vector<ValueId> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const auto twin = std::adjacent_find(sorted.begin(), sorted.end());
  if (twin == sorted.end()) return {};
  return makeError("value \"{}\" is {} of the piece twice", graph.value(*twin).name, what);
}

}  // namespace

Result<std::vector<NodeId>> nodesBetween(const Graph& graph, std::span<const ValueId> inputs,
                                         std::span<const ValueId> outputs) {
  std::vector<bool> given(graph.valueCount(), false);
  std::vector<bool> needed(graph.valueCount(), false);
  for (ValueId input : inputs) given[input.index()] = true;
  const auto need = [&](ValueId value) {
    if (value.valid() && !given[value.index()]) needed[value.index()] = true;
  };
  for (ValueId output : outputs) need(output);
  std::vector<NodeId> nodes;
  for (std::size_t i = graph.nodeCount(); i-- > 0;) {
    const Node& node = graph.nodes()[i];
    const auto is_needed = [&](ValueId output) { return needed[output.index()]; };
    if (std::none_of(node.outputs.begin(), node.outputs.end(), is_needed)) continue;
    nodes.emplace_back(i);
    for (ValueId input : node.inputs) need(input);
  }
  for (ValueId input : graph.inputs()) {
    if (needed[input.index()]) {
      return makeError("input \"{}\" of the graph is needed and not among the given values",
                       graph.value(input).name);
    }
  }
  std::reverse(nodes.begin(), nodes.end());
  return nodes;
}

Result<Graph> extractPiece(const Graph& graph, std::span<const ValueId> inputs,
                           std::span<const ValueId> outputs, std::string_view name) {
  const std::string place = fmt::format("piece \"{}\"", name);
  if (outputs.empty()) return makeError("{}: no outputs", place);
  NARROWS_CHECK(expectDistinct(graph, inputs, "an input").within(place));
  NARROWS_CHECK(expectDistinct(graph, outputs, "an output").within(place));
  NARROWS_TRY(nodes, nodesBetween(graph, inputs, outputs).within(place));
  GraphCopy copy(graph);
  copy.graph().name = name;
  for (ValueId input : inputs) copy.addInput(input);
  for (NodeId id : nodes) {
    // A node with several outputs makes the given ones anew; readers keep to the given ones.
    std::vector<std::pair<ValueId, ValueId>> kept;
    for (ValueId output : graph.node(id).outputs) {
      if (copy.has(output)) kept.emplace_back(output, copy.at(output));
    }
    NARROWS_CHECK(copy.copyNode(id).within(place));
    for (const auto& [old_value, new_value] : kept) copy.map(old_value, new_value);
  }
  NARROWS_CHECK(copy.setOutputs(outputs).within(place));
  return std::move(copy).take();
}

}  // namespace narrows
