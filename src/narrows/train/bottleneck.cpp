#include "narrows/train/bottleneck.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <numeric>
#include <set>

#include "narrows/graph/copy.h"
#include "narrows/graph/extract.h"
#include "narrows/train/augment.h"

namespace narrows {
namespace {

constexpr double kSlope = 0.1;

/// Adds layers to a graph and remembers their constants.
class Layers {
 public:
  Layers(Graph& graph, std::uint64_t seed, std::vector<std::string>& constants)
      : graph_(graph), draw_(seed), constants_(constants) {}

  Tensor normalWeight(std::int64_t out, std::int64_t in, std::int64_t kernel, double gain) {
    Tensor weight(DType::f32, Shape{out, in, kernel, kernel});
    const double deviation = gain * std::sqrt(2.0 / static_cast<double>(in * kernel * kernel));
    for (float& element : weight.mutableAs<float>()) {
      element = static_cast<float>(deviation * normal());
    }
    return weight;
  }

  Result<ValueId> conv(ValueId x, std::int64_t out, std::int64_t kernel, std::int64_t stride,
                       double gain, const std::string& name) {
    return conv(x, normalWeight(out, graph_.shape(x)[1], kernel, gain),
                Tensor(DType::f32, Shape{out}), stride, name);
  }

  Result<ValueId> conv(ValueId x, Tensor weight, Tensor bias, std::int64_t stride,
                       const std::string& name) {
    Conv2d op;
    const std::int64_t kernel = weight.shape()[2];
    const std::int64_t pad = kernel / 2;
    op.window = {{kernel, kernel}, {stride, stride}, {1, 1}, {pad, pad, pad, pad}};
    const ValueId w = constant(name + ".weight", std::move(weight));
    const ValueId b = constant(name + ".bias", std::move(bias));
    return graph_.add(op, {x, w, b}, name, name);
  }

  Result<ValueId> leaky(ValueId x, const std::string& name) {
    return graph_.add(LeakyRelu{kSlope}, {x}, name, name);
  }
  Result<ValueId> rectify(ValueId x, double highest, const std::string& name) {
    if (highest == 0) return graph_.add(Unary{UnaryKind::relu}, {x}, name, name);
    return graph_.add(Clip{0, highest}, {x}, name, name);
  }

 private:
  ValueId constant(const std::string& name, Tensor tensor) {
    const ValueId id = graph_.addConstant(name, std::move(tensor));
    constants_.push_back(graph_.value(id).name);
    return id;
  }
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - draw_.between(0, 1)));
    return radius * std::cos(2 * std::numbers::pi * draw_.between(0, 1));
  }

  Graph& graph_;
  Draw draw_;
  std::vector<std::string>& constants_;
};

/// Copies the graph; readers of `value` read what `make` builds on it.
Result<Inserted> insertAt(
    const Graph& graph, const std::string& value, std::uint64_t seed,
    const std::function<Result<ValueId>(Layers&, Graph&, ValueId, Inserted&)>& make) {
  const ValueId at = graph.findValue(value);
  if (!at.valid() || !graph.value(at).producer.valid()) {
    return makeError("{} is no value that the network computes", value);
  }
  const Shape& shape = graph.shape(at);
  if (shape.rank() != 4 || graph.type(at).dtype != DType::f32) {
    return makeError("{} is {}, expected a map", value, toString(shape));
  }
  if (graph.isOutput(at)) return makeError("{} is an output of the network", value);
  Inserted inserted;
  GraphCopy copy(graph);
  copy.addInputs();
  for (const NodeId id : nodeIds(graph)) {
    NARROWS_CHECK(copy.copyNode(id));
    if (id != graph.value(at).producer) continue;
    Layers layers(copy.graph(), seed, inserted.constants);
    NARROWS_TRY(restored, make(layers, copy.graph(), copy.at(at), inserted));
    inserted.restored = copy.graph().value(restored).name;
    copy.map(at, restored);
  }
  NARROWS_CHECK(copy.setOutputs(graph.outputs()));
  inserted.graph = std::move(copy).take();
  return inserted;
}

/// The element of a 3x3 convolution's weight that is multiplied with the pixel itself.
float& centre(Tensor& weight, std::int64_t out, std::int64_t in) {
  const std::int64_t index = (out * weight.shape()[1] + in) * 9 + 4;
  return weight.mutableAs<float>()[static_cast<std::size_t>(index)];
}

/// Weight of the convolution that hands on the k numbers of a code, each in a channel; with both
/// signs, number i's opposite is channel k + i, as the leaky ReLU behind it changes what is
/// negative. The other channels are the weight's own.
void passOn(Tensor& weight, bool both_signs) {
  const std::int64_t k = weight.shape()[1];
  const auto used = static_cast<std::size_t>((both_signs ? 2 : 1) * k * k * 9);
  const auto rows = weight.mutableAs<float>().first(used);
  std::fill(rows.begin(), rows.end(), 0.0F);
  for (std::int64_t i = 0; i < k; ++i) {
    centre(weight, i, i) = 1;
    if (both_signs) centre(weight, k + i, i) = -1;
  }
}

/// Weight of the convolution that decodes what `passOn` made, after the leaky ReLU.
Tensor decodePassed(const Tensor& decode, bool both_signs) {
  const std::int64_t channels = decode.shape()[0];
  const std::int64_t k = decode.shape()[1];
  Tensor weight(DType::f32, Shape{channels, channels, 3, 3});
  // leaky(z) - leaky(-z) = (1 + slope) z
  const auto scale = both_signs ? static_cast<float>(1 / (1 + kSlope)) : 1.0F;
  const auto elements = decode.as<float>();
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t i = 0; i < k; ++i) {
      const float factor = scale * elements[static_cast<std::size_t>(c * k + i)];
      centre(weight, c, i) = factor;
      if (both_signs) centre(weight, c, k + i) = -factor;
    }
  }
  return weight;
}

/// Encoder and decoder that compute the code.
Result<ValueId> addCode(Layers& layers, Graph& to, ValueId x, const std::string& name,
                        const AutoencoderStart& start, Inserted& out) {
  const LinearCode& code = start.code;
  const std::int64_t channels = to.shape(x)[1];
  const std::int64_t k = code.encode.shape()[0];
  NARROWS_TRY(latent, layers.conv(x, code.encode.clone().reshaped(Shape{k, channels, 1, 1}),
                                  code.encode_bias.clone(), 1, name + ".encoder"));
  if (start.rectified) {
    NARROWS_TRY(rectified, layers.rectify(latent, start.highest, name + ".encoder.rectified"));
    latent = rectified;
  }
  out.cut = to.value(latent).name;
  Tensor passed = layers.normalWeight(channels, k, 3, 1);
  passOn(passed, !start.rectified);
  NARROWS_TRY(first, layers.conv(latent, std::move(passed), Tensor(DType::f32, Shape{channels}), 1,
                                 name + ".decoder.a"));
  NARROWS_TRY(bent, layers.leaky(first, name + ".decoder.bend"));
  return layers.conv(bent, decodePassed(code.decode, !start.rectified), code.decode_bias.clone(), 1,
                     name + ".decoder.b");
}

Status checkStart(const Graph& graph, const std::string& value, const AutoencoderShape& shape,
                  const AutoencoderStart& start) {
  const LinearCode& code = start.code;
  const ValueId at = graph.findValue(value);
  if (!at.valid() || graph.shape(at).rank() != 4) return {};  // told of by insertAt
  const std::int64_t channels = graph.shape(at)[1];
  const std::int64_t most = start.rectified ? channels : channels / 2;
  if (shape.stride != 1 || shape.encoder_layers != 1 || shape.channels > most) {
    return makeError(
        "a fitted start of {} needs an encoder of one convolution and stride 1 with at most {} of "
        "the {} channels",
        value, most, channels);
  }
  if (!(code.encode.shape() == Shape{shape.channels, channels})) {
    return makeError("a code of {}, expected {} numbers of {} channels",
                     toString(code.encode.shape()), shape.channels, channels);
  }
  return {};
}

}  // namespace

AutoencoderStart segmented(const AutoencoderStart& start, std::span<const double> highest,
                           std::int64_t parts) {
  const std::int64_t numbers = start.code.encode.shape()[0];
  const std::int64_t channels = start.code.encode.shape()[1];
  const std::int64_t k = parts * numbers;
  const double base = std::pow(64.0, 1 / static_cast<double>(parts));
  const double mean = std::accumulate(highest.begin(), highest.end(), 0.0) /
                      static_cast<double>(std::max<std::int64_t>(1, numbers));
  AutoencoderStart result;
  result.rectified = true;
  // That of the first part of most numbers: their weights stay of the size of the others.
  result.highest = mean > 0 ? mean * std::pow(base, static_cast<double>(1 - parts)) : 1;
  LinearCode& code = result.code;
  code.encode = Tensor(DType::f32, Shape{k, channels});
  code.encode_bias = Tensor(DType::f32, Shape{k});
  code.decode = Tensor(DType::f32, Shape{channels, k});
  code.decode_bias = start.code.decode_bias.clone();
  const auto encode = start.code.encode.as<float>();
  const auto bias = start.code.encode_bias.as<float>();
  const auto decode = start.code.decode.as<float>();
  for (std::int64_t part = 0; part < parts; ++part) {
    for (std::int64_t i = 0; i < numbers; ++i) {
      // A number that is never positive gets the range of the others.
      const double top = highest[static_cast<std::size_t>(i)] > 0
                             ? highest[static_cast<std::size_t>(i)]
                             : result.highest;
      const double high = top * std::pow(base, static_cast<double>(part + 1 - parts));
      const double low = part == 0 ? 0 : high / base;
      const double scale = result.highest / (high - low);
      const auto row = static_cast<std::size_t>(part * numbers + i);
      const auto from = static_cast<std::size_t>(i);
      for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
        code.encode.mutableAs<float>()[row * static_cast<std::size_t>(channels) + c] =
            static_cast<float>(scale) * encode[from * static_cast<std::size_t>(channels) + c];
        code.decode.mutableAs<float>()[c * static_cast<std::size_t>(k) + row] =
            decode[c * static_cast<std::size_t>(numbers) + from] / static_cast<float>(scale);
      }
      code.encode_bias.mutableAs<float>()[row] =
          static_cast<float>(scale * (static_cast<double>(bias[from]) - low));
    }
  }
  return result;
}

Result<Inserted> insertAutoencoder(const Graph& graph, const std::string& value,
                                   const AutoencoderShape& shape, std::uint64_t seed,
                                   const AutoencoderStart* start) {
  if (shape.channels < 1 || shape.stride < 1 || shape.stride > 2) {
    return makeError("an autoencoder has at least one channel and stride 1 or 2");
  }
  if (shape.encoder_layers < 1 || shape.encoder_layers > 2) {
    return makeError("an encoder has 1 or 2 convolutions, not {}", shape.encoder_layers);
  }
  if (start != nullptr) NARROWS_CHECK(checkStart(graph, value, shape, *start));
  return insertAt(graph, value, seed,
                  [&](Layers& layers, Graph& to, ValueId x, Inserted& out) -> Result<ValueId> {
                    if (start != nullptr) return addCode(layers, to, x, value, *start, out);
                    const Shape map = to.shape(x);
                    const bool strided = shape.stride == 2;
                    ValueId seen = x;
                    if (shape.encoder_layers == 2) {
                      NARROWS_TRY(wide, layers.conv(x, map[1], 3, 1, 1, value + ".encoder.a"));
                      NARROWS_TRY(bent, layers.leaky(wide, value + ".encoder.bend"));
                      seen = bent;
                    }
                    NARROWS_TRY(latent, layers.conv(seen, shape.channels, strided ? 3 : 1,
                                                    shape.stride, 0.7, value + ".encoder"));
                    out.cut = to.value(latent).name;
                    ValueId y = latent;
                    if (strided) {
                      Resize resize;
                      resize.coordinates = ResizeCoordinates::asymmetric;
                      resize.rounding = ResizeRounding::floor;
                      resize.sizes = {1, shape.channels, map[2], map[3]};
                      const Shape& small = to.shape(latent);
                      resize.scales = {1, 1,
                                       static_cast<double>(map[2]) / static_cast<double>(small[2]),
                                       static_cast<double>(map[3]) / static_cast<double>(small[3])};
                      NARROWS_TRY(wide, to.add(resize, {y}, value + ".decoder.up"));
                      y = wide;
                    }
                    NARROWS_TRY(first, layers.conv(y, map[1], 3, 1, 1, value + ".decoder.a"));
                    NARROWS_TRY(bent, layers.leaky(first, value + ".decoder.bend"));
                    return layers.conv(bent, map[1], 3, 1, 0.7, value + ".decoder.b");
                  });
}

std::optional<PointwiseReader> pointwiseReader(const Graph& graph, const std::string& value) {
  const ValueId at = graph.findValue(value);
  if (!at.valid() || graph.isOutput(at) || graph.consumers(at).size() != 1) return std::nullopt;
  const Node& node = graph.node(graph.consumers(at)[0]);
  const auto* conv = std::get_if<Conv2d>(&node.op);
  if (conv == nullptr || conv->groups != 1 || node.inputs[0] != at) return std::nullopt;
  const Window2d pointwise{{1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}};
  const Value& weight = graph.value(node.inputs[1]);
  if (!(conv->window == pointwise) || !weight.isConstant() || weight.type.dtype != DType::f32) {
    return std::nullopt;
  }
  const std::int64_t outputs = weight.type.shape[0];
  PointwiseReader reader;
  reader.weight = weight.constant->clone().reshaped(Shape{outputs, weight.type.shape[1]});
  reader.bias = Tensor(DType::f32, Shape{outputs});
  if (node.inputs.size() > 2 && node.inputs[2].valid()) {
    const Value& bias = graph.value(node.inputs[2]);
    if (!bias.isConstant()) return std::nullopt;
    reader.bias = bias.constant->clone();
  }
  const auto after = graph.consumers(node.outputs[0]);
  if (after.size() == 1 && !graph.isOutput(node.outputs[0])) {
    const auto* unary = std::get_if<Unary>(&graph.node(after[0]).op);
    reader.rectified = unary != nullptr && unary->kind == UnaryKind::relu;
  }
  return reader;
}

Result<Inserted> insertReconstruction(const Graph& graph, const std::string& value,
                                      const EngineShape& shape, std::uint64_t seed) {
  if (shape.blocks < 1 || shape.channels < 0) return makeError("an engine has at least one block");
  return insertAt(graph, value, seed,
                  [&](Layers& layers, Graph& to, ValueId x, Inserted& out) -> Result<ValueId> {
                    out.cut = value;
                    const std::int64_t own = to.shape(x)[1];
                    const std::int64_t inner = shape.channels == 0 ? own : shape.channels;
                    ValueId y = x;
                    for (std::int64_t b = 0; b < shape.blocks; ++b) {
                      const std::string name = fmt::format("{}.restore{}", value, b + 1);
                      NARROWS_TRY(first, layers.conv(y, inner, 3, 1, 1, name + ".a"));
                      NARROWS_TRY(bent, layers.leaky(first, name + ".bend"));
                      NARROWS_TRY(second, layers.conv(bent, own, 3, 1, 0, name + ".b"));
                      NARROWS_TRY(sum, to.add(Binary{}, {y, second}, name));
                      y = sum;
                    }
                    return y;
                  });
}

Result<std::vector<std::string>> constantsBefore(const Graph& graph, const std::string& value) {
  const ValueId at = graph.findValue(value);
  if (!at.valid()) return makeError("the network has no value {}", value);
  const std::vector<ValueId> ends = {at};
  NARROWS_TRY(nodes, nodesBetween(graph, graph.inputs(), ends));
  std::set<std::string> names;
  for (const NodeId node : nodes) {
    for (const ValueId input : graph.node(node).inputs) {
      if (input.valid() && graph.value(input).isConstant()) names.insert(graph.value(input).name);
    }
  }
  return std::vector<std::string>(names.begin(), names.end());
}

}  // namespace narrows
