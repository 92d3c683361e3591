#include "narrows/engine/executor/fusion.h"

namespace narrows::executor {
namespace {

bool isConstant(const Graph& graph, ValueId id) {
  return id.valid() && graph.value(id).isConstant();
}

// The only node that reads `value`, if there is exactly one and nobody outside needs it.
NodeId onlyReader(const Graph& graph, ValueId value) {
  if (graph.isOutput(value) || graph.consumers(value).size() != 1) return {};
  return graph.consumers(value)[0];
}

}  // namespace

bool hasEpilogue(const Graph& graph, const Node& node) {
  if (node.inputs.size() < 2 || graph.type(node.inputs[0]).dtype != DType::f32) return false;
  for (ValueId value : {node.inputs[0], node.inputs[1], node.outputs[0]}) {
    if (graph.type(value).elements() == 0) return false;
  }
  const bool constant_bias = !node.input(2).valid() || isConstant(graph, node.input(2));
  if (std::holds_alternative<Conv2d>(node.op))
    return isConstant(graph, node.inputs[1]) && constant_bias;
  if (const auto* gemm = std::get_if<Gemm>(&node.op)) {
    if (!isConstant(graph, node.inputs[1]) || !constant_bias || gemm->transpose_a) return false;
    if (!node.input(2).valid()) return true;
    // A bias for each column; one for each row is left to the plain kernel.
    const Shape& c = graph.shape(node.input(2));
    const std::int64_t columns = graph.shape(node.outputs[0])[1];
    return c.elements() == 1 || (c.elements() == columns && c[c.rank() - 1] == columns);
  }
  if (std::holds_alternative<MatMul>(node.op)) {
    return isConstant(graph, node.inputs[1]) && graph.shape(node.inputs[0]).rank() >= 2 &&
           graph.shape(node.inputs[1]).rank() == 2;
  }
  return false;
}

FusionPlan::FusionPlan(const Graph& graph)
    : absorbed_(graph.nodeCount(), false), heads_(graph.nodeCount()), fused_(graph.nodeCount()) {
  for (NodeId id : nodeIds(graph)) {
    heads_[id.index()] = id;
    fused_[id.index()].last = id;
    fused_[id.index()].nodes = {id};
    if (!graph.node(id).outputs.empty()) fused_[id.index()].result = graph.node(id).outputs[0];
  }
  for (NodeId id : nodeIds(graph)) {
    if (!absorbed_[id.index()] && hasEpilogue(graph, graph.node(id))) grow(graph, id);
  }
}

void FusionPlan::grow(const Graph& graph, NodeId head) {
  Fused& fused = fused_[head.index()];
  while (growActivation(graph, fused) || growGate(graph, fused) || growResidual(graph, fused)) {
  }
  if (fused.last != head) {
    absorbed_[head.index()] = true;
    absorbed_[fused.last.index()] = false;
    heads_[fused.last.index()] = head;
  }
}

void FusionPlan::extend(const Graph& graph, Fused& fused, NodeId by) {
  absorbed_[by.index()] = true;
  fused.last = by;
  fused.nodes.push_back(by);
  fused.result = graph.node(by).outputs[0];
}

bool FusionPlan::growActivation(const Graph& graph, Fused& fused) {
  Epilogue& epilogue = fused.epilogue;
  if (epilogue.activation.kind != ActivationKind::none) return false;
  const NodeId reader = onlyReader(graph, fused.result);
  if (!reader.valid() || isTaken(reader)) return false;
  const auto activation = activationOf(graph.node(reader).op);
  if (!activation) return false;
  epilogue.activation = *activation;
  extend(graph, fused, reader);
  return true;
}

// x * gate(x), where x is the result so far.
bool FusionPlan::growGate(const Graph& graph, Fused& fused) {
  Epilogue& epilogue = fused.epilogue;
  if (epilogue.activation.kind != ActivationKind::none || graph.isOutput(fused.result))
    return false;
  const auto readers = graph.consumers(fused.result);
  if (readers.size() != 2) return false;
  const NodeId gate = readers[0];
  const NodeId product = readers[1];
  const auto activation = activationOf(graph.node(gate).op);
  const auto* binary = std::get_if<Binary>(&graph.node(product).op);
  if (!activation || binary == nullptr || binary->kind != BinaryKind::mul) return false;
  const ValueId gated = graph.node(gate).outputs[0];
  if (onlyReader(graph, gated) != product) return false;
  const auto& operands = graph.node(product).inputs;
  const bool matches = (operands[0] == fused.result && operands[1] == gated) ||
                       (operands[1] == fused.result && operands[0] == gated);
  const auto joint = selfGated(*activation);
  if (!matches || !joint) return false;
  epilogue.activation = *joint;
  absorbed_[gate.index()] = true;
  fused.nodes.push_back(gate);
  extend(graph, fused, product);
  return true;
}

bool FusionPlan::growResidual(const Graph& graph, Fused& fused) {
  Epilogue& epilogue = fused.epilogue;
  if (epilogue.residual.valid()) return false;
  const NodeId reader = onlyReader(graph, fused.result);
  if (!reader.valid() || isTaken(reader)) return false;
  const Node& node = graph.node(reader);
  const auto* binary = std::get_if<Binary>(&node.op);
  if (binary == nullptr || binary->kind != BinaryKind::add) return false;
  const ValueId other = node.inputs[0] == fused.result ? node.inputs[1] : node.inputs[0];
  if (other == fused.result || graph.type(other) != graph.type(fused.result)) return false;
  epilogue.residual = other;
  epilogue.residual_after_activation = epilogue.activation.kind != ActivationKind::none;
  extend(graph, fused, reader);
  return true;
}

}  // namespace narrows::executor
