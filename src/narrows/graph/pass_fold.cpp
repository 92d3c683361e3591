#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "narrows/graph/absent.h"
#include "narrows/graph/evaluate.h"
#include "narrows/graph/pass_list.h"

namespace narrows::passes {
namespace {

std::shared_ptr<const Tensor> constantOf(const Graph& graph, ValueId value) {
  return value.valid() ? graph.value(value).constant : nullptr;
}

/// y = scale[c] * x + shift[c] over the channels (axis 1) of x. Scales 1 and shifts 0 stand for the
/// numbers of constants without elements, which fold into constants without elements.
struct Affine {
  ValueId x;
  std::vector<double> scale;
  std::vector<double> shift;
  bool known = true;
};

std::vector<double> doubles(const Tensor& tensor) {
  const auto values = tensor.as<float>();
  return {values.begin(), values.end()};
}

std::optional<Affine> affineOf(const Graph& graph, const BatchNorm& op, const Node& node) {
  std::vector<std::vector<double>> parameters;
  bool known = true;
  for (std::size_t i = 1; i < 5; ++i) {
    const auto constant = constantOf(graph, node.inputs[i]);
    if (constant == nullptr || constant->dtype() != DType::f32) return std::nullopt;
    known = known && hasElements(*constant);
    if (known) parameters.push_back(doubles(*constant));
  }
  if (!known) {
    const auto channels = static_cast<std::size_t>(graph.shape(node.inputs[1])[0]);
    return Affine{node.inputs[0], std::vector<double>(channels, 1.0),
                  std::vector<double>(channels, 0.0), false};
  }
  Affine affine{node.inputs[0], {}, {}};
  for (std::size_t c = 0; c < parameters[0].size(); ++c) {
    const double scale = parameters[0][c] / std::sqrt(parameters[3][c] + op.epsilon);
    affine.scale.push_back(scale);
    affine.shift.push_back(parameters[1][c] - parameters[2][c] * scale);
  }
  return affine;
}

/// The elements of a constant, one for each channel of a map of `shape`; nothing when it varies
/// along other axes or makes the result larger than the map.
std::optional<std::vector<double>> perChannel(const Tensor& constant, const Shape& shape) {
  if (constant.dtype() != DType::f32 || constant.shape().rank() > shape.rank()) return std::nullopt;
  const auto channels = static_cast<std::size_t>(shape[1]);
  const std::size_t lead = shape.rank() - constant.shape().rank();
  for (std::size_t axis = 0; axis < constant.shape().rank(); ++axis) {
    const bool along_channels = lead + axis == 1 && constant.shape()[axis] == shape[1];
    if (constant.shape()[axis] != 1 && !along_channels) return std::nullopt;
  }
  if (!hasElements(constant)) return std::vector<double>(channels, 1.0);
  const auto values = constant.as<float>();
  if (values.size() == 1) return std::vector<double>(channels, values[0]);
  return std::vector<double>(values.begin(), values.end());
}

std::optional<Affine> affineOf(const Graph& graph, const Binary& op, const Node& node) {
  const bool constant_first = constantOf(graph, node.inputs[0]) != nullptr;
  const ValueId x = node.inputs[constant_first ? 1 : 0];
  const auto constant = constantOf(graph, node.inputs[constant_first ? 0 : 1]);
  const Shape& shape = graph.shape(x);
  if (constant == nullptr || shape.rank() < 2 || graph.type(x).dtype != DType::f32) {
    return std::nullopt;
  }
  const auto values = perChannel(*constant, shape);
  if (!values) return std::nullopt;
  Affine affine{x, {}, {}, hasElements(*constant)};
  for (double value : *values) {
    switch (op.kind) {
      case BinaryKind::add:
        affine.scale.push_back(1);
        affine.shift.push_back(value);
        break;
      case BinaryKind::sub:
        affine.scale.push_back(constant_first ? -1 : 1);
        affine.shift.push_back(constant_first ? value : -value);
        break;
      case BinaryKind::mul:
        affine.scale.push_back(value);
        affine.shift.push_back(0);
        break;
      case BinaryKind::div:
        if (constant_first) return std::nullopt;
        affine.scale.push_back(1 / value);
        affine.shift.push_back(0);
        break;
      default:
        return std::nullopt;
    }
  }
  return affine;
}

std::optional<Affine> affineOf(const Graph& graph, const Node& node) {
  std::optional<Affine> affine;
  if (const auto* norm = std::get_if<BatchNorm>(&node.op)) affine = affineOf(graph, *norm, node);
  if (const auto* binary = std::get_if<Binary>(&node.op)) affine = affineOf(graph, *binary, node);
  if (!affine) return std::nullopt;
  const auto finite = [](double v) { return std::isfinite(static_cast<float>(v)); };
  if (!std::all_of(affine->scale.begin(), affine->scale.end(), finite) ||
      !std::all_of(affine->shift.begin(), affine->shift.end(), finite)) {
    return std::nullopt;
  }
  return affine;
}

/// The bias of a linear layer, one number for each channel; `known` as in Affine.
struct Bias {
  std::vector<double> values;
  bool known = true;
};

/// The weights of a linear layer with the map behind it folded in.
struct Folded {
  Tensor weight;
  Tensor bias;
  NodeId producer;
};

/// `channel_of(i)` is the output channel to which element i of the weight belongs.
template <class ChannelOf>
Folded foldInto(const Tensor& weight, const Bias& bias, const Affine& affine,
                ChannelOf channel_of) {
  const TensorType bias_type{DType::f32, Shape{static_cast<std::int64_t>(affine.scale.size())}};
  if (!hasElements(weight) || !bias.known || !affine.known) {
    return {withoutElements(weight.type()), withoutElements(bias_type), NodeId()};
  }
  Folded folded{Tensor(weight.type()), Tensor(bias_type), NodeId()};
  const auto from = weight.as<float>();
  const auto to = folded.weight.mutableAs<float>();
  for (std::size_t i = 0; i < from.size(); ++i) {
    to[i] = static_cast<float>(from[i] * affine.scale[channel_of(i)]);
  }
  const auto shifts = folded.bias.mutableAs<float>();
  for (std::size_t c = 0; c < shifts.size(); ++c) {
    shifts[c] = static_cast<float>(bias.values[c] * affine.scale[c] + affine.shift[c]);
  }
  return folded;
}

bool isFloatConstant(const std::shared_ptr<const Tensor>& constant) {
  return constant != nullptr && constant->dtype() == DType::f32;
}

/// The bias of a linear node, zeros when absent; nothing when it is no constant vector.
std::optional<Bias> biasOf(const Graph& graph, const Node& node, std::size_t channels) {
  const ValueId bias = node.input(2);
  if (!bias.valid()) return Bias{std::vector<double>(channels, 0.0)};
  const auto constant = constantOf(graph, bias);
  if (!isFloatConstant(constant)) return std::nullopt;
  const auto elements = static_cast<std::size_t>(constant->type().elements());
  // A Gemm's c may be (N) or (1, N).
  const Shape& shape = constant->shape();
  const bool one_each =
      elements == channels && shape[shape.rank() - 1] == static_cast<std::int64_t>(channels);
  if (elements != 1 && !one_each) return std::nullopt;
  if (!hasElements(*constant)) return Bias{std::vector<double>(channels, 0.0), false};
  if (elements == 1) return Bias{std::vector<double>(channels, constant->as<float>()[0])};
  return Bias{doubles(*constant)};
}

std::optional<Folded> foldIntoProducer(const Graph& graph, const Node& producer,
                                       const Affine& affine) {
  const auto channels = affine.scale.size();
  if (producer.inputs.size() < 2) return std::nullopt;
  const auto weight = constantOf(graph, producer.inputs[1]);
  if (!isFloatConstant(weight)) return std::nullopt;
  auto bias = biasOf(graph, producer, channels);
  if (!bias) return std::nullopt;
  const Shape& shape = weight->shape();
  if (std::holds_alternative<Conv2d>(producer.op)) {
    const auto filter = static_cast<std::size_t>(shape[1] * shape[2] * shape[3]);
    return foldInto(*weight, *bias, affine, [&](std::size_t i) { return i / filter; });
  }
  if (const auto* conv = std::get_if<ConvTranspose2d>(&producer.op)) {
    // Weight (C, O/G, kh, kw): group of the input channel, then the channel in the group.
    const auto kernel = static_cast<std::size_t>(shape[2] * shape[3]);
    const auto per_group = static_cast<std::size_t>(shape[1]);
    const auto inputs_per_group = static_cast<std::size_t>(shape[0] / conv->groups);
    return foldInto(*weight, *bias, affine, [&](std::size_t i) {
      const std::size_t row = i / kernel;
      return row / per_group / inputs_per_group * per_group + row % per_group;
    });
  }
  if (const auto* gemm = std::get_if<Gemm>(&producer.op)) {
    for (double& value : bias->values) value *= gemm->beta;
    const auto columns = static_cast<std::size_t>(shape[1]);
    return foldInto(*weight, *bias, affine,
                    [&](std::size_t i) { return gemm->transpose_b ? i / columns : i % columns; });
  }
  return std::nullopt;
}

bool isSoleReader(const Graph& graph, ValueId value) {
  return graph.value(value).producer.valid() && graph.consumers(value).size() == 1 &&
         !graph.isOutput(value);
}

}  // namespace

Result<Graph> foldAffine(const Graph& graph) {
  // Decided first, so that a producer that is folded is not copied and its constants' names stay
  // free for the new ones.
  std::unordered_map<NodeId, Folded> folds;
  std::vector<bool> gone(graph.nodeCount(), false);
  for (NodeId id : nodeIds(graph)) {
    const Node& node = graph.node(id);
    const auto affine = affineOf(graph, node);
    if (!affine || !isSoleReader(graph, affine->x)) continue;
    if (graph.shape(affine->x) != graph.shape(node.outputs[0])) continue;
    const NodeId producer = graph.value(affine->x).producer;
    // A producer that takes part in a fold itself waits for the next round.
    if (folds.contains(producer)) continue;
    auto folded = foldIntoProducer(graph, graph.node(producer), *affine);
    if (!folded) continue;
    folded->producer = producer;
    gone[producer.index()] = true;
    folds.emplace(id, std::move(*folded));
  }
  return rewrite(graph, [&](GraphCopy& copy, NodeId id) -> Result<bool> {
    if (gone[id.index()]) return true;
    const auto found = folds.find(id);
    if (found == folds.end()) return false;
    Folded& folded = found->second;
    const Node& producer = graph.node(folded.producer);
    Op op = producer.op;
    if (auto* gemm = std::get_if<Gemm>(&op)) gemm->beta = 1;
    const std::string& weight_name = graph.value(producer.inputs[1]).name;
    const std::string bias_name =
        producer.input(2).valid() ? graph.value(producer.input(2)).name : producer.name + ".bias";
    const ValueId weight = copy.graph().addConstant(weight_name, std::move(folded.weight));
    const ValueId bias = copy.graph().addConstant(bias_name, std::move(folded.bias));
    NARROWS_CHECK(copy.replaceNode(id, std::move(op), {copy.at(producer.inputs[0]), weight, bias}));
    return true;
  });
}

Result<Graph> foldPadding(const Graph& graph) {
  return rewrite(graph, [&](GraphCopy& copy, NodeId id) -> Result<bool> {
    const Node& node = graph.node(id);
    const auto* conv = std::get_if<Conv2d>(&node.op);
    if (conv == nullptr) return false;
    const Pad* pad = soleProducer<Pad>(graph, node.inputs[0]);
    if (pad == nullptr || pad->mode != PadMode::constant || pad->value != 0) return false;
    const auto negative = [](std::int64_t v) { return v < 0; };
    if (std::any_of(pad->before.begin(), pad->before.end(), negative) ||
        std::any_of(pad->after.begin(), pad->after.end(), negative) || pad->before[0] != 0 ||
        pad->after[0] != 0 || pad->before[1] != 0 || pad->after[1] != 0) {
      return false;
    }
    Conv2d padded = *conv;
    padded.window.pads.top += pad->before[2];
    padded.window.pads.left += pad->before[3];
    padded.window.pads.bottom += pad->after[2];
    padded.window.pads.right += pad->after[3];
    std::vector<ValueId> inputs = copy.at(node.inputs);
    inputs[0] = copy.at(graph.node(graph.value(node.inputs[0]).producer).inputs[0]);
    NARROWS_CHECK(copy.replaceNode(id, padded, std::move(inputs)));
    return true;
  });
}

Result<Graph> foldConstants(const Graph& graph) {
  constexpr std::size_t kSmall = std::size_t{64} << 10;
  return rewrite(graph, [&](GraphCopy& copy, NodeId id) -> Result<bool> {
    const Node& node = graph.node(id);
    std::vector<std::shared_ptr<const Tensor>> held;
    std::vector<const Tensor*> inputs;
    std::size_t input_bytes = 0;
    for (ValueId input : node.inputs) {
      // Inputs may have become constants in this very pass.
      const ValueId fresh = copy.has(input) ? copy.at(input) : ValueId();
      auto constant = constantOf(copy.graph(), fresh);
      if (constant == nullptr || !hasElements(*constant)) return false;
      input_bytes += constant->type().bytes();
      inputs.push_back(constant.get());
      held.push_back(std::move(constant));
    }
    std::size_t output_bytes = 0;
    for (ValueId output : node.outputs) output_bytes += graph.type(output).bytes();
    // Weights that unfold from less are better unfolded where they run; those kept in half
    // precision are only stored so, and kernels take f32.
    const bool widened = std::holds_alternative<Cast>(node.op) && inputs[0]->dtype() == DType::f16;
    const std::size_t most = widened ? 2 * input_bytes : input_bytes;
    if (inputs.empty() || output_bytes > std::max(kSmall, most)) return false;
    auto outputs = evaluateConstant(node.op, inputs);
    if (!outputs) return false;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const std::string& name = graph.value(node.outputs[i]).name;
      copy.map(node.outputs[i], copy.graph().addConstant(name, std::move((*outputs)[i])));
    }
    return true;
  });
}

}  // namespace narrows::passes
