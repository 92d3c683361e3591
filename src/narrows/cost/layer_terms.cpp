#include "narrows/cost/layer_terms.h"

#include <algorithm>

#include "narrows/graph/cost.h"

namespace narrows {
namespace {

constexpr std::array<std::string_view, kTerms> kNames = {
    "conv_macs",         "conv_taps",         "conv_bytes",
    "conv_weight_bytes", "conv_ops",          "depthwise_macs",
    "depthwise_bytes",   "depthwise_ops",     "product_macs",
    "product_bytes",     "product_ops",       "pool_taps",
    "pool_bytes",        "fused_elements",    "fused_costly_elements",
    "fused_added_bytes", "elementwise_bytes", "elementwise_costly_elements",
    "elementwise_ops",   "softmax_elements",  "moved_bytes",
    "moved_ops",         "other_bytes",       "other_ops",
    "edge_bytes"};

/// Channels that vector code computes at once.
constexpr std::int64_t kVector = 16;
/// Pictures are read as they are.
constexpr std::int64_t kPictureChannels = 4;

double elementsOf(const Graph& graph, ValueId value) {
  return static_cast<double>(graph.type(value).elements());
}

double bytesOf(const Graph& graph, ValueId value) {
  return static_cast<double>(graph.type(value).bytes());
}

/// Bytes of operands and results.
struct Traffic {
  double values = 0;
  double constants = 0;
};

Traffic traffic(const Graph& graph, const Node& node) {
  Traffic traffic;
  for (ValueId value : node.inputs) {
    if (!value.valid()) continue;
    (graph.value(value).isConstant() ? traffic.constants : traffic.values) += bytesOf(graph, value);
  }
  for (ValueId value : node.outputs) traffic.values += bytesOf(graph, value);
  return traffic;
}

bool isCostly(const Op& op) {
  if (std::holds_alternative<Elu>(op)) return true;
  if (const auto* binary = std::get_if<Binary>(&op)) return binary->kind == BinaryKind::pow;
  const auto* unary = std::get_if<Unary>(&op);
  if (unary == nullptr) return false;
  switch (unary->kind) {
    case UnaryKind::relu:
    case UnaryKind::abs:
    case UnaryKind::neg:
    case UnaryKind::floor:
    case UnaryKind::ceil:
    case UnaryKind::round:
    case UnaryKind::reciprocal:
    case UnaryKind::sign:
    case UnaryKind::hard_swish:
    case UnaryKind::logical_not:
    case UnaryKind::is_nan:
    case UnaryKind::is_inf:
    case UnaryKind::sqrt:
      return false;
    default:
      return true;
  }
}

bool isElementwise(const Op& op) {
  return std::holds_alternative<Unary>(op) || std::holds_alternative<LeakyRelu>(op) ||
         std::holds_alternative<Elu>(op) || std::holds_alternative<Clip>(op) ||
         std::holds_alternative<HardSigmoid>(op) || std::holds_alternative<PRelu>(op) ||
         std::holds_alternative<Binary>(op) || std::holds_alternative<Where>(op) ||
         std::holds_alternative<Cast>(op);
}

bool isView(const Op& op) {
  return std::holds_alternative<Reshape>(op) || std::holds_alternative<Identity>(op) ||
         std::holds_alternative<Split>(op) || std::holds_alternative<Slice>(op) ||
         std::holds_alternative<Transpose>(op);
}

bool isMove(const Op& op) {
  return std::holds_alternative<Concat>(op) || std::holds_alternative<Resize>(op) ||
         std::holds_alternative<Pad>(op) || std::holds_alternative<Expand>(op) ||
         std::holds_alternative<Tile>(op) || std::holds_alternative<DepthToSpace>(op) ||
         std::holds_alternative<SpaceToDepth>(op) || std::holds_alternative<Gather>(op);
}

/// Finds what an engine computes in the pass of the layer before.
class Fusion {
 public:
  explicit Fusion(const Graph& graph) : graph_(graph), joined_(graph.nodeCount()) {
    for (NodeId id : nodeIds(graph)) joined_[id.index()] = joins(graph.node(id));
  }
  bool fused(NodeId id) const { return joined_[id.index()]; }

 private:
  bool joins(const Node& node) const {
    if (!isElementwise(node.op) || node.outputs.size() != 1) return false;
    return std::any_of(node.inputs.begin(), node.inputs.end(),
                       [&](ValueId value) { return carries(value, node.outputs[0]); });
  }
  /// Whether the value comes out of a layer that can go on with what makes `result` of it.
  bool carries(ValueId value, ValueId result) const {
    if (!value.valid() || graph_.isOutput(value)) return false;
    const NodeId producer = graph_.value(value).producer;
    if (!producer.valid() || graph_.shape(value) != graph_.shape(result)) return false;
    const Node& node = graph_.node(producer);
    const bool layer = std::holds_alternative<Conv2d>(node.op) ||
                       std::holds_alternative<Gemm>(node.op) ||
                       (std::holds_alternative<MatMul>(node.op) && node.inputs.size() > 1 &&
                        graph_.value(node.inputs[1]).isConstant());
    return (layer || joined_[producer.index()]) && readTogether(value);
  }
  /// One reader; or two, a gate and the product with it.
  bool readTogether(ValueId value) const {
    const auto readers = graph_.consumers(value);
    if (readers.size() == 1) return true;
    if (readers.size() != 2) return false;
    const Node& gate = graph_.node(readers[0]);
    return gate.outputs.size() == 1 && graph_.consumers(gate.outputs[0]).size() == 1 &&
           graph_.consumers(gate.outputs[0])[0] == readers[1];
  }

  const Graph& graph_;
  std::vector<bool> joined_;
};

void addConv(const Graph& graph, const Node& node, const Conv2d& conv, Terms& terms) {
  const Shape& in = graph.shape(node.inputs[0]);
  const Shape& out = graph.shape(node.outputs[0]);
  const Traffic bytes = traffic(graph, node);
  const std::int64_t channels = (out[1] + kVector - 1) / kVector * kVector;
  const double taps = static_cast<double>(out[0]) * static_cast<double>(channels) *
                      static_cast<double>(out[2]) * static_cast<double>(out[3]) *
                      static_cast<double>(conv.window.kernel.h) *
                      static_cast<double>(conv.window.kernel.w);
  const std::int64_t depth_of_group = in[1] / std::max<std::int64_t>(1, conv.groups);
  const auto depth = static_cast<double>(depth_of_group);
  if (conv.groups == in[1] && in[1] > 1) {
    terms[Term::depthwise_macs] += taps * depth;
    terms[Term::depthwise_bytes] += bytes.values;
    terms[Term::depthwise_ops] += 1;
    return;
  }
  terms[Term::conv_macs] += taps * depth;
  terms[Term::conv_taps] += taps;
  terms[Term::conv_bytes] += bytes.values;
  terms[Term::conv_weight_bytes] += bytes.constants;
  terms[Term::conv_ops] += 1;
}

void addPool(const Graph& graph, const Node& node, double window, Terms& terms) {
  terms[Term::pool_taps] += elementsOf(graph, node.outputs[0]) * window;
  terms[Term::pool_bytes] += traffic(graph, node).values;
}

double areaOf(const Window2d& window) {
  return static_cast<double>(window.kernel.h) * static_cast<double>(window.kernel.w);
}

void addFused(const Graph& graph, const Node& node, Terms& terms) {
  const double elements = elementsOf(graph, node.outputs[0]);
  if (isCostly(node.op)) {
    terms[Term::fused_costly_elements] += elements;
  } else {
    terms[Term::fused_elements] += elements;
  }
  const auto* binary = std::get_if<Binary>(&node.op);
  if (binary != nullptr && binary->kind == BinaryKind::add)
    terms[Term::fused_added_bytes] += bytesOf(graph, node.outputs[0]);
}

Terms termsOf(const Graph& graph, NodeId id, bool fused) {
  Terms terms;
  const Node& node = graph.node(id);
  if (node.outputs.empty() || isView(node.op)) return terms;
  const Traffic bytes = traffic(graph, node);
  if (const auto* conv = std::get_if<Conv2d>(&node.op);
      conv != nullptr && graph.shape(node.outputs[0]).rank() == 4) {
    addConv(graph, node, *conv, terms);
  } else if (const std::int64_t work = macs(graph, id); work > 0) {
    terms[Term::product_macs] += static_cast<double>(work);
    terms[Term::product_bytes] += bytes.values + bytes.constants;
    terms[Term::product_ops] += 1;
  } else if (const auto* most = std::get_if<MaxPool2d>(&node.op)) {
    addPool(graph, node, areaOf(most->window), terms);
  } else if (const auto* mean = std::get_if<AveragePool2d>(&node.op)) {
    addPool(graph, node, areaOf(mean->window), terms);
  } else if (std::holds_alternative<GlobalPool>(node.op)) {
    addPool(graph, node, 1, terms);
  } else if (std::holds_alternative<Softmax>(node.op)) {
    terms[Term::softmax_elements] += elementsOf(graph, node.outputs[0]);
  } else if (fused) {
    addFused(graph, node, terms);
  } else if (isElementwise(node.op)) {
    terms[Term::elementwise_bytes] += bytes.values;
    if (isCostly(node.op))
      terms[Term::elementwise_costly_elements] += elementsOf(graph, node.outputs[0]);
    terms[Term::elementwise_ops] += 1;
  } else if (isMove(node.op)) {
    terms[Term::moved_bytes] += bytes.values;
    terms[Term::moved_ops] += 1;
  } else {
    terms[Term::other_bytes] += bytes.values + bytes.constants;
    terms[Term::other_ops] += 1;
  }
  return terms;
}

}  // namespace

Terms& Terms::operator+=(const Terms& other) {
  for (std::size_t i = 0; i < kTerms; ++i) values_[i] += other.values_[i];
  return *this;
}

std::string_view toString(Term term) {
  return kNames[static_cast<std::size_t>(term)];
}

std::vector<Terms> layerTerms(const Graph& graph) {
  const Fusion fusion(graph);
  std::vector<Terms> terms;
  for (NodeId id : nodeIds(graph)) terms.push_back(termsOf(graph, id, fusion.fused(id)));
  return terms;
}

Terms edgeTerms(const Graph& graph, ValueId value) {
  Terms terms;
  const Shape& shape = graph.shape(value);
  if (shape.rank() == 4 && shape[1] > kPictureChannels && shape[2] * shape[3] > 1)
    terms[Term::edge_bytes] += bytesOf(graph, value);
  return terms;
}

}  // namespace narrows
