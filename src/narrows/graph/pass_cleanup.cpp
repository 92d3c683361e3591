#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "narrows/graph/extract.h"
#include "narrows/graph/pass_list.h"

namespace narrows::passes {
namespace {

bool allEqual(const Ints& values, std::int64_t value) {
  return std::all_of(values.begin(), values.end(), [&](std::int64_t v) { return v == value; });
}

/// Whether the node gives its first input back unchanged.
bool isNoOp(const Graph& graph, const Node& node) {
  if (node.outputs.size() != 1 || node.inputs.empty()) return false;
  if (graph.type(node.inputs[0]) != graph.type(node.outputs[0])) return false;
  if (const auto* transpose = std::get_if<Transpose>(&node.op)) {
    Ints order(transpose->permutation.size());
    std::iota(order.begin(), order.end(), std::int64_t{0});
    return transpose->permutation == order;
  }
  if (const auto* pad = std::get_if<Pad>(&node.op)) {
    return allEqual(pad->before, 0) && allEqual(pad->after, 0);
  }
  if (const auto* slice = std::get_if<Slice>(&node.op)) {
    return allEqual(slice->starts, 0) && allEqual(slice->steps, 1);
  }
  if (const auto* resize = std::get_if<Resize>(&node.op)) {
    return std::all_of(resize->scales.begin(), resize->scales.end(),
                       [](double scale) { return scale == 1; });
  }
  if (const auto* tile = std::get_if<Tile>(&node.op)) return allEqual(tile->repeats, 1);
  // Of equal type in and out, these change nothing.
  return std::holds_alternative<Identity>(node.op) || std::holds_alternative<Reshape>(node.op) ||
         std::holds_alternative<Expand>(node.op) || std::holds_alternative<Cast>(node.op) ||
         std::holds_alternative<Split>(node.op) ||
         (std::holds_alternative<Concat>(node.op) && node.inputs.size() == 1);
}

const Node* producerOf(const Graph& graph, ValueId value) {
  const NodeId id = graph.value(value).producer;
  return id.valid() ? &graph.node(id) : nullptr;
}

/// Names equal nodes alike: operator, and inputs in the new graph with constants by their tensor.
class NodeTable {
 public:
  explicit NodeTable(Graph& graph) : graph_(graph) {}

  /// A node of the graph with this operator and these inputs; invalid when there is none.
  NodeId find(const Op& op, const std::vector<ValueId>& inputs) const {
    const auto [begin, end] = table_.equal_range(hash(op, inputs));
    for (auto at = begin; at != end; ++at) {
      const Node& node = graph_.node(at->second);
      if (node.op == op && sameInputs(node.inputs, inputs)) return at->second;
    }
    return {};
  }
  void add(NodeId id) {
    const Node& node = graph_.node(id);
    table_.emplace(hash(node.op, node.inputs), id);
  }

 private:
  const Tensor* constantOf(ValueId value) const {
    return value.valid() ? graph_.value(value).constant.get() : nullptr;
  }
  bool sameInputs(const std::vector<ValueId>& a, const std::vector<ValueId>& b) const {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](ValueId x, ValueId y) {
      return x == y || (constantOf(x) != nullptr && constantOf(x) == constantOf(y));
    });
  }
  std::size_t hash(const Op& op, const std::vector<ValueId>& inputs) const {
    std::size_t seed = op.index();
    for (ValueId input : inputs) {
      const Tensor* constant = constantOf(input);
      const std::size_t part =
          constant != nullptr ? std::hash<const Tensor*>()(constant) : std::hash<ValueId>()(input);
      seed = seed * 1099511628211U + part;
    }
    return seed;
  }

  Graph& graph_;
  std::unordered_multimap<std::size_t, NodeId> table_;
};

}  // namespace

Result<Graph> dropNoOps(const Graph& graph) {
  return rewrite(graph, [&](GraphCopy& copy, NodeId id) -> Result<bool> {
    const Node& node = graph.node(id);
    if (!isNoOp(graph, node)) return false;
    copy.map(node.outputs[0], copy.at(node.inputs[0]));
    return true;
  });
}

Result<Graph> mergeReshapes(const Graph& graph) {
  return rewrite(graph, [&](GraphCopy& copy, NodeId id) -> Result<bool> {
    const Node& node = graph.node(id);
    if (!std::holds_alternative<Reshape>(node.op)) return false;
    const Node* inner = producerOf(graph, node.inputs[0]);
    if (inner == nullptr || !std::holds_alternative<Reshape>(inner->op)) return false;
    NARROWS_CHECK(copy.replaceNode(id, node.op, {copy.at(inner->inputs[0])}));
    return true;
  });
}

Result<Graph> mergeTransposes(const Graph& graph) {
  return rewrite(graph, [&](GraphCopy& copy, NodeId id) -> Result<bool> {
    const Node& node = graph.node(id);
    const auto* outer = std::get_if<Transpose>(&node.op);
    if (outer == nullptr) return false;
    const Node* inner = producerOf(graph, node.inputs[0]);
    if (inner == nullptr || !std::holds_alternative<Transpose>(inner->op)) return false;
    const Ints& first = std::get<Transpose>(inner->op).permutation;
    Transpose both;
    for (std::int64_t axis : outer->permutation) {
      both.permutation.push_back(first[static_cast<std::size_t>(axis)]);
    }
    NARROWS_CHECK(copy.replaceNode(id, both, {copy.at(inner->inputs[0])}));
    return true;
  });
}

Result<Graph> mergeEqualNodes(const Graph& graph) {
  std::optional<NodeTable> table;
  return rewrite(graph, [&](GraphCopy& copy, NodeId id) -> Result<bool> {
    if (!table) table.emplace(copy.graph());
    const Node& node = graph.node(id);
    // An identity is there to give an output its own name.
    if (std::holds_alternative<Identity>(node.op)) return false;
    const NodeId twin = table->find(node.op, copy.at(node.inputs));
    if (twin.valid()) {
      const std::vector<ValueId>& outputs = copy.graph().node(twin).outputs;
      for (std::size_t i = 0; i < outputs.size(); ++i) copy.map(node.outputs[i], outputs[i]);
      return true;
    }
    NARROWS_TRY(added, copy.copyNode(id));
    table->add(added);
    return true;
  });
}

Result<Graph> dropDeadNodes(const Graph& graph) {
  NARROWS_TRY(nodes, nodesBetween(graph, graph.inputs(), graph.outputs()));
  GraphCopy copy(graph);
  copy.addInputs();
  for (NodeId id : nodes) NARROWS_CHECK(copy.copyNode(id));
  NARROWS_CHECK(copy.setOutputs(graph.outputs()));
  return std::move(copy).take();
}

}  // namespace narrows::passes
