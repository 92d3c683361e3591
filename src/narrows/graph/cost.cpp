#include "narrows/graph/cost.h"

#include <initializer_list>
#include <limits>
#include <unordered_set>

namespace narrows {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

std::int64_t product(std::initializer_list<std::int64_t> factors) {
  std::int64_t total = 1;
  for (std::int64_t factor : factors) {
    if (factor == 0) return 0;
  }
  for (std::int64_t factor : factors) {
    if (__builtin_mul_overflow(total, factor, &total)) return kMost;
  }
  return total;
}

std::int64_t sum(std::int64_t a, std::int64_t b) {
  std::int64_t total = 0;
  return __builtin_add_overflow(a, b, &total) ? kMost : total;
}

bool isStatistic(const Node& node, std::size_t input) {
  return std::holds_alternative<BatchNorm>(node.op) && input >= 3;
}

bool isFactor(const Node& node, const TensorType& type) {
  return std::holds_alternative<Binary>(node.op) && type.elements() == 1;
}

}  // namespace

std::int64_t macs(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const auto elements = [&](ValueId value) { return graph.type(value).elements(); };
  if (std::holds_alternative<Conv2d>(node.op)) {
    const Shape& weight = graph.shape(node.inputs[1]);
    return product({elements(node.outputs[0]), weight[1], weight[2], weight[3]});
  }
  if (std::holds_alternative<ConvTranspose2d>(node.op)) {
    const Shape& weight = graph.shape(node.inputs[1]);
    return product({elements(node.inputs[0]), weight[1], weight[2], weight[3]});
  }
  if (const auto* gemm = std::get_if<Gemm>(&node.op)) {
    const std::int64_t inner = graph.shape(node.inputs[0])[gemm->transpose_a ? 0 : 1];
    return product({elements(node.outputs[0]), inner});
  }
  if (std::holds_alternative<MatMul>(node.op)) {
    const Shape& a = graph.shape(node.inputs[0]);
    return product({elements(node.outputs[0]), a[a.rank() - 1]});
  }
  return 0;
}

Cost cost(const Graph& graph, std::span<const NodeId> nodes) {
  Cost total;
  std::unordered_set<const Tensor*> seen;
  for (NodeId id : nodes) {
    total.macs = sum(total.macs, macs(graph, id));
    const Node& node = graph.node(id);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (!node.inputs[i].valid() || isStatistic(node, i)) continue;
      const Value& value = graph.value(node.inputs[i]);
      if (!value.isConstant() || !isFloating(value.type.dtype) || isFactor(node, value.type))
        continue;
      if (!seen.insert(value.constant.get()).second) continue;
      total.parameters = sum(total.parameters, value.type.elements());
    }
    for (ValueId output : node.outputs) {
      total.activations = sum(total.activations, graph.type(output).elements());
    }
  }
  return total;
}

Cost cost(const Graph& graph, NodeId node) {
  return cost(graph, std::span(&node, 1));
}

Cost cost(const Graph& graph) {
  return cost(graph, nodeIds(graph));
}

}  // namespace narrows
