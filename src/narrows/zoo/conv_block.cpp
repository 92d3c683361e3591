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

}  // namespace

double LayerBuilder::uniform() {
  return static_cast<double>(random_() >> 11U) * 0x1.0p-53;
}

double LayerBuilder::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

ValueId LayerBuilder::weights(std::int64_t channels, std::int64_t inputs, std::int64_t kernel,
                              double variance_gain, const std::string& name) {
  Tensor tensor(DType::f32, Shape{channels, inputs, kernel, kernel});
  const double deviation = std::sqrt(variance_gain / static_cast<double>(inputs * kernel * kernel));
  for (float& value : tensor.mutableAs<float>()) value = static_cast<float>(deviation * normal());
  return graph_->addConstant(name + ".weight", std::move(tensor));
}

Result<ValueId> LayerBuilder::convBlock(ValueId x, std::int64_t channels, std::int64_t kernel,
                                        const std::string& name) {
  Conv2d conv;
  conv.window.kernel = {kernel, kernel};
  const std::int64_t pad = kernel / 2;
  conv.window.pads = {pad, pad, pad, pad};
  const ValueId weight =
      weights(channels, graph_->shape(x)[1], kernel, 2.0 / (1.0 + kSlope * kSlope), name);
  NARROWS_TRY(sum, graph_->add(conv, {x, weight}, name));
  std::vector<float> scale, bias;
  for (std::int64_t c = 0; c < channels; ++c) {
    scale.push_back(static_cast<float>(0.8 + 0.4 * uniform()));
    bias.push_back(static_cast<float>(0.2 * normal()));
  }
  const std::vector<float> zeros(static_cast<std::size_t>(channels), 0.0F),
      ones(zeros.size(), 1.0F);
  const auto constant = [&](const char* suffix, const std::vector<float>& values) {
    return graph_->addConstant(
        name + suffix, Tensor::from<float>(Shape{channels}, std::span<const float>(values)));
  };
  NARROWS_TRY(normalized, graph_->add(BatchNorm{},
                                      {sum, constant(".scale", scale), constant(".bias", bias),
                                       constant(".mean", zeros), constant(".variance", ones)},
                                      name + ".norm"));
  return graph_->add(LeakyRelu{kSlope}, {normalized}, name + ".leaky");
}

Result<ValueId> LayerBuilder::pointwise(ValueId x, std::span<const float> bias,
                                        const std::string& name, const std::string& output_name) {
  const auto channels = static_cast<std::int64_t>(bias.size());
  const ValueId weight = weights(channels, graph_->shape(x)[1], 1, kHeadGain, name);
  const ValueId offset =
      graph_->addConstant(name + ".bias", Tensor::from<float>(Shape{channels}, bias));
  return graph_->add(Conv2d{}, {x, weight, offset}, name, output_name);
}

Result<ValueId> LayerBuilder::maxPool(ValueId x, std::int64_t stride, const std::string& name) {
  MaxPool2d pool;
  pool.window.kernel = {2, 2};
  pool.window.stride = {stride, stride};
  if (stride == 1) pool.window.pads = {0, 0, 1, 1};
  return graph_->add(pool, {x}, name);
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
