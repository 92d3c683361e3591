#pragma once

#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/graph/graph.h"

namespace narrows {

/// Builds a new graph from an old one, value by value; passes and extraction are written with it.
/// Values of the old graph are mapped to values of the new one as they are copied or replaced.
/// Constants are shared and copied when they are first asked for. The old graph outlives the copy.
class GraphCopy {
 public:
  /// The new graph has the old one's name and is otherwise empty.
  explicit GraphCopy(const Graph& from);

  const Graph& source() const { return *from_; }
  Graph& graph() { return graph_; }

  /// Whether `old_value` is a constant or has been mapped.
  bool has(ValueId old_value) const;
  /// The new value for `old_value`; invalid for an invalid id. Asserts `has`.
  ValueId at(ValueId old_value);
  /// The new values for all of them.
  std::vector<ValueId> at(std::span<const ValueId> old_values);
  /// From now on `new_value` stands for `old_value`.
  void map(ValueId old_value, ValueId new_value);

  /// An input of the new graph with the name and type of `old_value`, which may be any value.
  ValueId addInput(ValueId old_value);
  /// Copies the old graph's inputs, in order.
  void addInputs();
  /// Copies a node with its names; its inputs must be available.
  Result<NodeId> copyNode(NodeId old_node);
  /// Puts `op` on `inputs` (values of the new graph) in the place of `old_node`, whose names and
  /// outputs it takes over; it must have as many outputs.
  Result<NodeId> replaceNode(NodeId old_node, Op op, std::vector<ValueId> inputs);
  /// Makes the values that stand for `old_outputs` the outputs, under their old names. When one
  /// cannot take that name, because it is an input, a constant or already another output, an
  /// identity node is put behind it.
  Status setOutputs(std::span<const ValueId> old_outputs);

  Graph take() && { return std::move(graph_); }

 private:
  /// Gives `name` to `id`; another value that has it gets a new one.
  void claimName(ValueId id, const std::string& name);

  const Graph* from_;
  Graph graph_;
  std::vector<ValueId> map_;
};

}  // namespace narrows
