#include "narrows/graph/graph.h"

#include <algorithm>

#include "narrows/graph/infer.h"

namespace narrows {
namespace {

template <class Names>
std::string uniqueName(const Names& taken, std::string_view wanted) {
  std::string name(wanted);
  for (int suffix = 2; taken.contains(name); ++suffix) name = fmt::format("{}_{}", wanted, suffix);
  return name;
}

}  // namespace

ValueId Graph::addValue(std::string_view value_name, TensorType type, NodeId producer,
                        std::shared_ptr<const Tensor> constant) {
  const ValueId id(values_.size());
  std::string unique = uniqueName(value_names_, value_name);
  value_names_.emplace(unique, id);
  values_.push_back({std::move(unique), type, producer, std::move(constant)});
  consumers_.emplace_back();
  return id;
}

ValueId Graph::addInput(std::string_view value_name, TensorType type) {
  const ValueId id = addValue(value_name, type, NodeId(), nullptr);
  inputs_.push_back(id);
  return id;
}

ValueId Graph::addConstant(std::string_view value_name, std::shared_ptr<const Tensor> tensor) {
  NARROWS_ASSERT(tensor != nullptr);
  const TensorType type = tensor->type();
  return addValue(value_name, type, NodeId(), std::move(tensor));
}

Result<NodeId> Graph::addNode(Op op, std::vector<ValueId> inputs, std::string_view node_name,
                              std::span<const std::string> output_names) {
  while (!inputs.empty() && !inputs.back().valid()) inputs.pop_back();
  const std::string name_of_node =
      uniqueName(node_names_, node_name.empty() ? opName(op) : node_name);
  std::vector<std::optional<TensorType>> input_types;
  input_types.reserve(inputs.size());
  for (ValueId input : inputs) {
    NARROWS_ASSERT(!input.valid() || input.index() < values_.size());
    input_types.push_back(input.valid() ? std::optional(type(input)) : std::nullopt);
  }
  auto types = inferTypes(op, input_types);
  if (!types.ok()) {
    return types.takeError().within(fmt::format("node \"{}\" ({})", name_of_node, opName(op)));
  }
  const NodeId id(nodes_.size());
  Node node{name_of_node, std::move(op), std::move(inputs), {}};
  for (std::size_t i = 0; i < types->size(); ++i) {
    std::string output_name = i < output_names.size() && !output_names[i].empty() ? output_names[i]
                              : i == 0                                            ? name_of_node
                                       : fmt::format("{}:{}", name_of_node, i);
    node.outputs.push_back(addValue(output_name, (*types)[i], id, nullptr));
  }
  for (ValueId input : node.inputs) {
    if (!input.valid()) continue;
    auto& readers = consumers_[input.index()];
    if (readers.empty() || readers.back() != id) readers.push_back(id);
  }
  node_names_.emplace(node.name, id);
  nodes_.push_back(std::move(node));
  return id;
}

Result<ValueId> Graph::add(Op op, std::vector<ValueId> inputs, std::string_view node_name,
                           std::string_view output_name) {
  const std::string names[] = {std::string(output_name)};
  NARROWS_TRY(id, addNode(std::move(op), std::move(inputs), node_name, names));
  NARROWS_ASSERT(node(id).outputs.size() == 1);
  return node(id).outputs[0];
}

Status Graph::setOutputs(std::vector<ValueId> outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    NARROWS_ASSERT(outputs[i].index() < values_.size());
    if (std::count(outputs.begin(), outputs.end(), outputs[i]) > 1) {
      return makeError("value \"{}\" is an output twice", value(outputs[i]).name);
    }
  }
  outputs_ = std::move(outputs);
  return {};
}

bool Graph::isOutput(ValueId id) const {
  return std::find(outputs_.begin(), outputs_.end(), id) != outputs_.end();
}

bool Graph::isInput(ValueId id) const {
  return std::find(inputs_.begin(), inputs_.end(), id) != inputs_.end();
}

ValueId Graph::findValue(std::string_view value_name) const {
  const auto found = value_names_.find(std::string(value_name));
  return found == value_names_.end() ? ValueId() : found->second;
}

Status Graph::renameValue(ValueId id, std::string_view value_name) {
  std::string wanted(value_name);
  if (values_[id.index()].name == wanted) return {};
  if (value_names_.contains(wanted)) return makeError("a value is already named \"{}\"", wanted);
  value_names_.erase(values_[id.index()].name);
  value_names_.emplace(wanted, id);
  values_[id.index()].name = std::move(wanted);
  return {};
}

Status verify(const Graph& graph) {
  std::vector<bool> available(graph.valueCount(), false);
  for (std::size_t i = 0; i < graph.valueCount(); ++i) {
    const Value& value = graph.values()[i];
    if (value.isConstant() && value.constant->type() != value.type) {
      return makeError("value \"{}\": its type differs from its constant's", value.name);
    }
    available[i] = value.isConstant() || graph.isInput(ValueId(i));
  }
  for (NodeId id : nodeIds(graph)) {
    const Node& node = graph.node(id);
    std::vector<std::optional<TensorType>> input_types;
    for (ValueId input : node.inputs) {
      if (!input.valid()) {
        input_types.emplace_back();
        continue;
      }
      if (input.index() >= graph.valueCount())
        return makeError("node \"{}\": input out of range", node.name);
      if (!available[input.index()]) {
        return makeError("node \"{}\" reads \"{}\" before it is made", node.name,
                         graph.value(input).name);
      }
      input_types.emplace_back(graph.type(input));
    }
    NARROWS_TRY(types, inferTypes(node.op, input_types).within(node.name));
    if (types.size() != node.outputs.size())
      return makeError("node \"{}\": count of outputs", node.name);
    for (std::size_t i = 0; i < types.size(); ++i) {
      const ValueId output = node.outputs[i];
      if (graph.value(output).producer != id)
        return makeError("node \"{}\": not the producer of its output", node.name);
      if (graph.type(output) != types[i])
        return makeError("node \"{}\": stored and inferred type differ", node.name);
      available[output.index()] = true;
    }
  }
  if (graph.outputs().empty()) return makeError("the graph has no output");
  for (ValueId output : graph.outputs()) {
    if (!available[output.index()])
      return makeError("output \"{}\" is never made", graph.value(output).name);
  }
  return {};
}

}  // namespace narrows
