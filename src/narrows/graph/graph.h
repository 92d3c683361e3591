#pragma once

#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "narrows/base/id.h"
#include "narrows/base/result.h"
#include "narrows/graph/ops.h"
#include "narrows/tensor/tensor.h"

namespace narrows {

using NodeId = Id<struct NodeTag>;
using ValueId = Id<struct ValueTag>;

/// A tensor of the graph: an input, a constant, or an output of one node.
struct Value {
  std::string name;
  TensorType type;
  NodeId producer;                         // invalid for inputs and constants
  std::shared_ptr<const Tensor> constant;  // null unless a constant

  bool isConstant() const { return constant != nullptr; }
};

/// An operation. An absent optional input is an invalid id; trailing ones are left out.
struct Node {
  std::string name;
  Op op;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;

  /// The input at `index`, invalid when absent.
  ValueId input(std::size_t index) const {
    return index < inputs.size() ? inputs[index] : ValueId();
  }
};

/// A static dataflow graph of typed operators. Nodes are held in topological order: a node can only
/// be added after its inputs. Names of values are unique, and so are names of nodes. Constants are
/// shared, so copies of a graph and pieces of it are cheap. Passes build new graphs (`GraphCopy`).
class Graph {
 public:
  std::string name;

  ValueId addInput(std::string_view value_name, TensorType type);
  ValueId addConstant(std::string_view value_name, std::shared_ptr<const Tensor> tensor);
  ValueId addConstant(std::string_view value_name, Tensor tensor) {
    return addConstant(value_name, std::make_shared<const Tensor>(std::move(tensor)));
  }
  /// Infers and checks the types of the outputs. A name that is taken gets a suffix "_2", "_3", ...
  /// `output_names` may be shorter than the outputs; missing ones follow the node's name. An empty
  /// node name becomes the operator's. The error names the node.
  Result<NodeId> addNode(Op op, std::vector<ValueId> inputs, std::string_view node_name = {},
                         std::span<const std::string> output_names = {});
  /// `addNode` for operators with one output; returns that value.
  Result<ValueId> add(Op op, std::vector<ValueId> inputs, std::string_view node_name = {},
                      std::string_view output_name = {});
  /// Any values, inputs and constants included; one may be listed once only.
  Status setOutputs(std::vector<ValueId> outputs);

  std::span<const ValueId> inputs() const { return inputs_; }
  std::span<const ValueId> outputs() const { return outputs_; }
  std::size_t nodeCount() const { return nodes_.size(); }
  std::size_t valueCount() const { return values_.size(); }
  const Node& node(NodeId id) const {
    NARROWS_ASSERT(id.index() < nodes_.size());
    return nodes_[id.index()];
  }
  const Value& value(ValueId id) const {
    NARROWS_ASSERT(id.index() < values_.size());
    return values_[id.index()];
  }
  const TensorType& type(ValueId id) const { return value(id).type; }
  const Shape& shape(ValueId id) const { return value(id).type.shape; }
  /// In topological order; the index is the NodeId.
  std::span<const Node> nodes() const { return nodes_; }
  std::span<const Value> values() const { return values_; }
  /// Nodes that read the value, in order, each once.
  std::span<const NodeId> consumers(ValueId id) const {
    NARROWS_ASSERT(id.index() < consumers_.size());
    return consumers_[id.index()];
  }
  bool isOutput(ValueId id) const;
  bool isInput(ValueId id) const;
  /// Invalid when there is none of that name.
  ValueId findValue(std::string_view value_name) const;

  /// Changes the name of a value; fails when it is taken.
  Status renameValue(ValueId id, std::string_view value_name);

 private:
  ValueId addValue(std::string_view value_name, TensorType type, NodeId producer,
                   std::shared_ptr<const Tensor> constant);

  std::vector<Node> nodes_;
  std::vector<Value> values_;
  std::vector<std::vector<NodeId>> consumers_;
  std::vector<ValueId> inputs_;
  std::vector<ValueId> outputs_;
  std::unordered_map<std::string, ValueId> value_names_;
  std::unordered_map<std::string, NodeId> node_names_;
};

/// All node ids of a graph, in order.
inline std::vector<NodeId> nodeIds(const Graph& graph) {
  std::vector<NodeId> ids;
  ids.reserve(graph.nodeCount());
  for (std::size_t i = 0; i < graph.nodeCount(); ++i) ids.emplace_back(i);
  return ids;
}

/// Checks everything that building guarantees anew: ids in range, topological order, inferred types
/// equal to the stored ones, outputs set and present. Run after passes in tests and on import.
Status verify(const Graph& graph);

}  // namespace narrows
