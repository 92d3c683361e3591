#include "narrows/torch/module.h"

#include <stdexcept>

#include "narrows/graph/constants.h"
#include "narrows/torch/convert.h"

namespace narrows::torched {
namespace {

std::vector<bool> dependsOnInputs(const Graph& graph) {
  std::vector<bool> depends(graph.valueCount(), false);
  for (const ValueId input : graph.inputs()) depends[input.index()] = true;
  for (const Node& node : graph.nodes()) {
    bool any = false;
    for (const ValueId input : node.inputs) any = any || (input.valid() && depends[input.index()]);
    for (const ValueId output : node.outputs) depends[output.index()] = any;
  }
  return depends;
}

/// Nodes that the wanted values need.
std::vector<bool> neededNodes(const Graph& graph, const std::vector<ValueId>& wanted) {
  std::vector<bool> needed(graph.nodeCount(), false);
  const auto need = [&](ValueId id) {
    if (id.valid() && graph.value(id).producer.valid()) {
      needed[graph.value(id).producer.index()] = true;
    }
  };
  for (const ValueId id : wanted) need(id);
  for (std::size_t i = graph.nodeCount(); i-- > 0;) {
    if (!needed[i]) continue;
    for (const ValueId input : graph.nodes()[i].inputs) need(input);
  }
  return needed;
}

}  // namespace

Result<ValueId> findValue(const Graph& graph, const std::string& name) {
  const ValueId id = graph.findValue(name);
  if (!id.valid()) return makeError("the network has no value {}", name);
  return id;
}

Result<GraphModule> GraphModule::create(const Graph& graph, const at::TensorOptions& place) {
  GraphModule module;
  module.graph_ = graph;
  module.place_ = place;
  module.parameters_ = trainableConstants(graph);
  module.statistics_ = statisticConstants(graph);
  module.depends_ = dependsOnInputs(graph);
  module.constants_.resize(graph.valueCount());
  module.frozen_.assign(graph.valueCount(), false);
  for (std::size_t i = 0; i < graph.valueCount(); ++i) {
    const Value& value = graph.value(ValueId(i));
    if (!value.isConstant()) continue;
    NARROWS_TRY(tensor, toAten(*value.constant, place).within("constant " + value.name));
    module.constants_[i] = tensor;
  }
  for (const ValueId id : module.parameters_) {
    module.constants_[id.index()].set_requires_grad(true);
  }
  return module;
}

void GraphModule::freeze(ValueId constant) {
  frozen_[constant.index()] = true;
  if (constants_[constant.index()].requires_grad()) {
    constants_[constant.index()].set_requires_grad(false);
  }
}

void GraphModule::checkBatch(const Node& node) const {
  for (const ValueId output : node.outputs) {
    if (graph_.shape(output).rank() > 0 && graph_.shape(output)[0] == 1) continue;
    throw std::runtime_error(
        fmt::format("node {}: axis 0 of its output is not the batch, so that only one sample at a "
                    "time can be run",
                    node.name));
  }
}

Tensors GraphModule::run(const Tensors& inputs, const NormMode& norm,
                         const std::vector<ValueId>& wanted) const {
  if (inputs.size() != graph_.inputs().size()) {
    throw std::runtime_error(
        fmt::format("{} inputs, expected {}", inputs.size(), graph_.inputs().size()));
  }
  Tensors values = constants_;
  std::int64_t batch = 1;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const ValueId id = graph_.inputs()[i];
    const Shape& shape = graph_.shape(id);
    if (shape.rank() > 0 && shape[0] > 0) batch = inputs[i].size(0) / shape[0];
    values[id.index()] = inputs[i];
  }
  const auto settle = [&](ValueId id) {
    const auto found = replacements_.find(id);
    if (found != replacements_.end()) values[id.index()] = found->second(values[id.index()]);
    const auto observer = observers_.find(id);
    if (observer != observers_.end()) observer->second(values[id.index()]);
  };
  for (const ValueId input : graph_.inputs()) settle(input);
  const std::vector<bool> needed = neededNodes(graph_, wanted);
  const at::ScalarType real = at::typeMetaToScalarType(place_.dtype());
  for (std::size_t i = 0; i < graph_.nodeCount(); ++i) {
    if (!needed[i]) continue;
    const Node& node = graph_.nodes()[i];
    const bool batched = depends_[node.outputs[0].index()];
    if (batched && batch != 1) checkBatch(node);
    Tensors operands;
    for (const ValueId input : node.inputs) {
      operands.push_back(input.valid() ? values[input.index()] : at::Tensor());
    }
    NormMode own_norm = norm;
    if (std::holds_alternative<BatchNorm>(node.op) && frozen_[node.inputs[1].index()]) {
      own_norm.training = false;
    }
    const NodeContext context{graph_, node, batch, batched, own_norm, real, factors_};
    Tensors outputs;
    try {
      outputs = applyNode(context, operands);
    } catch (const c10::Error& error) {
      throw std::runtime_error(
          fmt::format("node {}: {}", node.name, error.what_without_backtrace()));
    }
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      values[node.outputs[k].index()] = outputs[k];
      settle(node.outputs[k]);
    }
  }
  Tensors results;
  for (const ValueId id : wanted) results.push_back(values[id.index()]);
  return results;
}

Result<Graph> GraphModule::currentGraph() const {
  ConstantMap constants;
  for (const auto* list : {&parameters_, &statistics_}) {
    for (const ValueId id : *list) {
      const DType dtype = graph_.type(id).dtype;
      constants[id] = std::make_shared<const Tensor>(fromAten(constants_[id.index()], dtype));
    }
  }
  return replaceConstants(graph_, constants);
}

}  // namespace narrows::torched
