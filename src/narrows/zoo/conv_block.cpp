#include "narrows/zoo/conv_block.h"

#include <cmath>
#include <numbers>
#include <vector>

namespace narrows {
namespace {

constexpr double kSlope = 0.1;
// Spread of the head's outputs, so that scores differ from cell to cell as those of a trained head
// do.
constexpr double kHeadGain = 9.0;
constexpr double kBiasDeviation = 0.2;

/// He et al. 2015, equation 15; a linear layer has slope 1, the smooth and clipped ones count as
/// ReLU.
double gainOf(Activation activation) {
  const double slope = activation == Activation::none    ? 1.0
                       : activation == Activation::leaky ? kSlope
                                                         : 0.0;
  return 2.0 / (1.0 + slope * slope);
}

Conv2d attributes(const ConvShape& shape) {
  Conv2d conv;
  conv.window.kernel = {shape.kernel, shape.kernel};
  conv.window.stride = {shape.stride, shape.stride};
  const std::int64_t pad = shape.pad.value_or(shape.kernel / 2);
  conv.window.pads = {pad, pad, pad, pad};
  conv.groups = shape.groups;
  return conv;
}

/// Elements `begin` to `end` - 1 of an axis.
struct Bin {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

std::vector<Bin> binsOf(std::int64_t length, std::int64_t count) {
  std::vector<Bin> bins;
  for (std::int64_t i = 0; i < count; ++i)
    bins.push_back({i * length / count, ((i + 1) * length + count - 1) / count});
  return bins;
}

/// The window of an average pool that takes the mean of all bins, if there is one.
std::optional<Extent2d> poolOf(const std::vector<Bin>& bins) {
  const std::int64_t kernel = bins[0].end;
  const std::int64_t stride = bins.size() > 1 ? bins[1].begin : 1;
  if (stride == 0) return std::nullopt;
  for (std::size_t i = 0; i < bins.size(); ++i) {
    const auto begin = static_cast<std::int64_t>(i) * stride;
    if (bins[i].begin != begin || bins[i].end != begin + kernel) return std::nullopt;
  }
  return Extent2d{kernel, stride};
}

}  // namespace

double LayerBuilder::uniform() {
  return static_cast<double>(random_() >> 11U) * 0x1.0p-53;
}

double LayerBuilder::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

ValueId LayerBuilder::constant(const std::string& name, std::span<const float> values) {
  const Shape shape{static_cast<std::int64_t>(values.size())};
  if (!with_weights_) return graph_->addConstant(name, withoutElements({DType::f32, shape}));
  return graph_->addConstant(name, Tensor::from<float>(shape, values));
}

ValueId LayerBuilder::weights(Shape shape, double gain, const std::string& name) {
  const double fan_in = static_cast<double>(shape.elements()) / static_cast<double>(shape[0]);
  const double deviation = std::sqrt(gain / fan_in);
  return constant(name + ".weight", shape, [&] { return deviation * normal(); });
}

ValueId LayerBuilder::biases(std::int64_t count, const std::string& name) {
  return constant(name + ".bias", Shape{count}, [&] { return kBiasDeviation * normal(); });
}

Result<ValueId> LayerBuilder::convNorm(ValueId x, const ConvShape& shape, const std::string& name) {
  const ValueId weight =
      weights({shape.channels, graph_->shape(x)[1] / shape.groups, shape.kernel, shape.kernel},
              gainOf(shape.activation), name);
  NARROWS_TRY(sum, graph_->add(attributes(shape), {x, weight}, name));
  NARROWS_TRY(normalized, normalize(sum, name));
  return activate(normalized, shape.activation, name);
}

Result<ValueId> LayerBuilder::conv(ValueId x, const ConvShape& shape, const std::string& name) {
  const ValueId weight =
      weights({shape.channels, graph_->shape(x)[1] / shape.groups, shape.kernel, shape.kernel},
              gainOf(shape.activation), name);
  NARROWS_TRY(sum, graph_->add(attributes(shape), {x, weight, biases(shape.channels, name)}, name));
  return activate(sum, shape.activation, name);
}

Result<ValueId> LayerBuilder::normalize(ValueId x, const std::string& name) {
  const auto channels = static_cast<std::size_t>(graph_->shape(x)[1]);
  std::vector<float> scale(channels), bias(channels);
  for (std::size_t c = 0; with_weights_ && c < channels; ++c) {
    scale[c] = static_cast<float>(0.8 + 0.4 * uniform());
    bias[c] = static_cast<float>(kBiasDeviation * normal());
  }
  const std::vector<float> zeros(channels, 0.0F), ones(channels, 1.0F);
  return graph_->add(BatchNorm{epsilon_},
                     {x, constant(name + ".scale", scale), constant(name + ".bias", bias),
                      constant(name + ".mean", zeros), constant(name + ".variance", ones)},
                     name + ".norm");
}

Result<ValueId> LayerBuilder::activate(ValueId x, Activation activation, const std::string& name) {
  switch (activation) {
    case Activation::leaky:
      return graph_->add(LeakyRelu{kSlope}, {x}, name + ".leaky");
    case Activation::relu:
      return graph_->add(Unary{UnaryKind::relu}, {x}, name + ".relu");
    case Activation::relu6:
      return graph_->add(Clip{0, 6}, {x}, name + ".relu6");
    case Activation::silu:
      return graph_->add(Unary{UnaryKind::silu}, {x}, name + ".silu");
    case Activation::none:
      break;
  }
  return x;
}

Result<ValueId> LayerBuilder::pointwise(ValueId x, std::span<const float> bias,
                                        const std::string& name, const std::string& output_name) {
  const auto channels = static_cast<std::int64_t>(bias.size());
  const ValueId weight = weights({channels, graph_->shape(x)[1], 1, 1}, kHeadGain, name);
  const ValueId offset = constant(name + ".bias", bias);
  return graph_->add(Conv2d{}, {x, weight, offset}, name, output_name);
}

Result<ValueId> LayerBuilder::weightedSum(ValueId x, std::span<const float> weights,
                                          const std::string& name) {
  std::size_t index = 0;
  const ValueId weight =
      constant(name + ".weight", Shape{1, static_cast<std::int64_t>(weights.size()), 1, 1},
               [&] { return weights[index++]; });
  return graph_->add(Conv2d{}, {x, weight}, name);
}

Result<ValueId> LayerBuilder::dense(ValueId x, std::int64_t features, Activation activation,
                                    const std::string& name, const std::string& output_name) {
  const ValueId weight = weights({features, graph_->shape(x)[1]}, gainOf(activation), name);
  Gemm gemm;
  gemm.transpose_b = true;
  NARROWS_TRY(sum, graph_->add(gemm, {x, weight, biases(features, name)}, name, output_name));
  return activate(sum, activation, name);
}

Result<ValueId> LayerBuilder::maxPool(ValueId x, std::int64_t stride, const std::string& name) {
  MaxPool2d pool;
  pool.window.kernel = {2, 2};
  pool.window.stride = {stride, stride};
  if (stride == 1) pool.window.pads = {0, 0, 1, 1};
  return graph_->add(pool, {x}, name);
}

Result<ValueId> LayerBuilder::maxPool(ValueId x, const PoolShape& shape, const std::string& name) {
  MaxPool2d pool;
  pool.window.kernel = {shape.kernel, shape.kernel};
  pool.window.stride = {shape.stride, shape.stride};
  pool.window.pads = {shape.pad, shape.pad, shape.pad, shape.pad};
  pool.ceil = shape.ceil;
  return graph_->add(pool, {x}, name);
}

Result<ValueId> LayerBuilder::averageToVector(ValueId x, const std::string& name) {
  NARROWS_TRY(average, graph_->add(GlobalPool{}, {x}, name));
  return flatten(average, name + ".flat");
}

Result<ValueId> LayerBuilder::averageToExtent(ValueId x, std::int64_t extent,
                                              const std::string& name) {
  const Shape shape = graph_->shape(x);
  if (shape[2] == extent && shape[3] == extent) return x;
  const auto rows = poolOf(binsOf(shape[2], extent));
  const auto columns = poolOf(binsOf(shape[3], extent));
  if (rows && columns) {
    AveragePool2d pool;
    pool.window.kernel = {rows->h, columns->h};
    pool.window.stride = {rows->w, columns->w};
    return graph_->add(pool, {x}, name);
  }
  NARROWS_TRY(short_map, averageBins(x, 2, extent, name + ".rows"));
  return averageBins(short_map, 3, extent, name);
}

Result<ValueId> LayerBuilder::averageBins(ValueId x, std::size_t axis, std::int64_t bins,
                                          const std::string& name) {
  const Shape shape = graph_->shape(x);
  std::vector<ValueId> means;
  for (const Bin& bin : binsOf(shape[axis], bins)) {
    const std::string place = fmt::format("{}.{}", name, means.size());
    Slice slice{Ints(4, 0), {shape[0], shape[1], shape[2], shape[3]}, Ints(4, 1)};
    slice.starts[axis] = bin.begin;
    slice.lengths[axis] = bin.end - bin.begin;
    NARROWS_TRY(part, graph_->add(slice, {x}, place + ".part"));
    const Reduce mean{ReduceKind::mean, {static_cast<std::int64_t>(axis)}, true};
    NARROWS_TRY(value, graph_->add(mean, {part}, place));
    means.push_back(value);
  }
  return graph_->add(Concat{static_cast<std::int64_t>(axis)}, means, name);
}

Result<ValueId> LayerBuilder::flatten(ValueId x, const std::string& name) {
  return graph_->add(Reshape{{1, graph_->type(x).elements()}}, {x}, name);
}

Result<ValueId> LayerBuilder::upsample(ValueId x, std::int64_t factor, const std::string& name) {
  const Shape& shape = graph_->shape(x);
  Resize resize;
  resize.mode = ResizeMode::nearest;
  resize.coordinates = ResizeCoordinates::asymmetric;
  resize.rounding = ResizeRounding::floor;
  const auto scale = static_cast<double>(factor);
  resize.sizes = {shape[0], shape[1], shape[2] * factor, shape[3] * factor};
  resize.scales = {1, 1, scale, scale};
  return graph_->add(resize, {x}, name);
}

}  // namespace narrows
