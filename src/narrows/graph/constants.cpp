#include "narrows/graph/constants.h"

#include <algorithm>

#include "narrows/graph/copy.h"

namespace narrows {
namespace {

/// Positions of the inputs of an operator that training changes.
std::vector<std::size_t> trainableInputs(const Op& op) {
  if (std::holds_alternative<Conv2d>(op) || std::holds_alternative<ConvTranspose2d>(op) ||
      std::holds_alternative<BatchNorm>(op) || std::holds_alternative<Gemm>(op)) {
    return {1, 2};
  }
  if (std::holds_alternative<MatMul>(op)) return {0, 1};
  if (std::holds_alternative<PRelu>(op)) return {1};
  return {};
}

template <class Positions>
std::vector<ValueId> constantsAt(const Graph& graph, const Positions& positions) {
  std::vector<ValueId> found;
  for (const Node& node : graph.nodes()) {
    for (const std::size_t position : positions(node.op)) {
      const ValueId id = node.input(position);
      if (!id.valid() || !graph.value(id).isConstant()) continue;
      if (!isFloating(graph.type(id).dtype)) continue;
      if (std::find(found.begin(), found.end(), id) == found.end()) found.push_back(id);
    }
  }
  return found;
}

}  // namespace

Result<Graph> replaceConstants(const Graph& graph, const ConstantMap& constants) {
  GraphCopy copy(graph);
  copy.addInputs();
  for (std::size_t i = 0; i < graph.valueCount(); ++i) {
    const ValueId id(i);
    const auto found = constants.find(id);
    if (found == constants.end()) continue;
    NARROWS_ASSERT(graph.value(id).isConstant());
    copy.map(id, copy.graph().addConstant(graph.value(id).name, found->second));
  }
  for (const NodeId node : nodeIds(graph)) NARROWS_CHECK(copy.copyNode(node));
  NARROWS_CHECK(copy.setOutputs(graph.outputs()));
  return std::move(copy).take();
}

std::vector<ValueId> trainableConstants(const Graph& graph) {
  return constantsAt(graph, trainableInputs);
}

std::vector<ValueId> statisticConstants(const Graph& graph) {
  return constantsAt(graph, [](const Op& op) -> std::vector<std::size_t> {
    if (std::holds_alternative<BatchNorm>(op)) return {3, 4};
    return {};
  });
}

}  // namespace narrows
