#include "narrows/graph/copy.h"

namespace narrows {

GraphCopy::GraphCopy(const Graph& from) : from_(&from), map_(from.valueCount()) {
  graph_.name = from.name;
}

bool GraphCopy::has(ValueId old_value) const {
  return map_[old_value.index()].valid() || from_->value(old_value).isConstant();
}

ValueId GraphCopy::at(ValueId old_value) {
  if (!old_value.valid()) return {};
  ValueId& mapped = map_[old_value.index()];
  if (!mapped.valid()) {
    const Value& value = from_->value(old_value);
    NARROWS_ASSERT(value.isConstant());
    mapped = graph_.addConstant(value.name, value.constant);
  }
  return mapped;
}

std::vector<ValueId> GraphCopy::at(std::span<const ValueId> old_values) {
  std::vector<ValueId> values;
  values.reserve(old_values.size());
  for (ValueId old_value : old_values) values.push_back(at(old_value));
  return values;
}

void GraphCopy::map(ValueId old_value, ValueId new_value) {
  NARROWS_ASSERT(new_value.index() < graph_.valueCount());
  map_[old_value.index()] = new_value;
}

ValueId GraphCopy::addInput(ValueId old_value) {
  const Value& value = from_->value(old_value);
  const ValueId input = graph_.addInput(value.name, value.type);
  map(old_value, input);
  return input;
}

void GraphCopy::addInputs() {
  for (ValueId input : from_->inputs()) addInput(input);
}

Result<NodeId> GraphCopy::copyNode(NodeId old_node) {
  const Node& node = from_->node(old_node);
  return replaceNode(old_node, node.op, at(node.inputs));
}

Result<NodeId> GraphCopy::replaceNode(NodeId old_node, Op op, std::vector<ValueId> inputs) {
  const Node& node = from_->node(old_node);
  std::vector<std::string> names;
  names.reserve(node.outputs.size());
  for (ValueId output : node.outputs) names.push_back(from_->value(output).name);
  NARROWS_TRY(id, graph_.addNode(std::move(op), std::move(inputs), node.name, names));
  const std::vector<ValueId>& outputs = graph_.node(id).outputs;
  NARROWS_ASSERT(outputs.size() == node.outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) map(node.outputs[i], outputs[i]);
  return id;
}

Status GraphCopy::setOutputs(std::span<const ValueId> old_outputs) {
  std::vector<ValueId> outputs;
  outputs.reserve(old_outputs.size());
  std::vector<bool> taken(graph_.valueCount() + 2 * old_outputs.size(), false);
  for (ValueId old_output : old_outputs) {
    ValueId output = at(old_output);
    const std::string& name = from_->value(old_output).name;
    const bool fixed = !graph_.value(output).producer.valid() || taken[output.index()];
    if (taken[output.index()] || (fixed && graph_.value(output).name != name)) {
      NARROWS_TRY(alias, graph_.add(Identity{}, {output}, name));
      output = alias;
    }
    claimName(output, name);
    taken[output.index()] = true;
    outputs.push_back(output);
  }
  return graph_.setOutputs(std::move(outputs));
}

void GraphCopy::claimName(ValueId id, const std::string& name) {
  const ValueId holder = graph_.findValue(name);
  if (holder == id) return;
  if (holder.valid()) {
    int suffix = 2;
    while (!graph_.renameValue(holder, fmt::format("{}_{}", name, suffix)).ok()) ++suffix;
  }
  NARROWS_ASSERT(graph_.renameValue(id, name).ok());
}

}  // namespace narrows
