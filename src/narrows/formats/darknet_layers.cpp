#include <algorithm>

#include "narrows/formats/darknet_network.h"

namespace narrows {
namespace {

constexpr std::int64_t kMaxWindowExtent = 4096;

/// Pads only as far as the last window reaches, so that the graph shows no padding that does
/// nothing.
std::int64_t usedPadding(std::int64_t input, std::int64_t outputs, std::int64_t size,
                         std::int64_t stride, std::int64_t front) {
  return std::max<std::int64_t>(0, (outputs - 1) * stride + size - front - input);
}

}  // namespace

Status DarknetNetwork::addConvolutional(const DarknetSection& section) {
  NARROWS_TRY(filters, section.integer("filters", 1, 1, kMaxFilters));
  NARROWS_TRY(size, section.integer("size", 1, 1, kMaxWindowExtent));
  NARROWS_TRY(stride, section.integer("stride", 1, 1, kMaxWindowExtent));
  NARROWS_TRY(stride_x, section.integer("stride_x", stride, 1, kMaxWindowExtent));
  NARROWS_TRY(stride_y, section.integer("stride_y", stride, 1, kMaxWindowExtent));
  NARROWS_TRY(dilation, section.integer("dilation", 1, 1, kMaxWindowExtent));
  NARROWS_TRY(groups, section.integer("groups", 1, 1, kMaxFilters));
  NARROWS_TRY(pad, section.integer("pad", 0, 0, 1));
  NARROWS_TRY(padding, section.integer("padding", 0, 0, kMaxWindowExtent));
  NARROWS_TRY(normalized, section.integer("batch_normalize", 0, 0, 1));
  NARROWS_CHECK(expectOff(section, {"xnor", "binary", "bin_output", "flipped", "antialiasing",
                                    "dontload", "dontloadscales", "share_index", "deform", "sway",
                                    "rotate", "stretch", "stretch_sway", "assisted_excitation"}));
  NARROWS_TRY(x, map());
  const std::int64_t channels = graph_.shape(x)[1];
  if (channels % groups != 0 || filters % groups != 0) {
    return section.errorAt(
        "groups", fmt::format("does not divide {} channels and {} filters", channels, filters));
  }
  // A dilated window keeps the extent of the map, as `pad` asks for.
  const std::int64_t around = (pad != 0 ? size / 2 : padding) * dilation;
  Conv2d conv;
  conv.window.kernel = {size, size};
  conv.window.stride = {stride_y, stride_x};
  conv.window.dilation = {dilation, dilation};
  conv.window.pads = {around, around, around, around};
  conv.groups = groups;

  const auto weightShape = Shape::create(std::array{filters, channels / groups, size, size});
  if (!weightShape.ok()) return weightShape.error();
  NARROWS_TRY(biases, takeWeights(Shape{filters}, DarknetBlock::biases, "biases"));
  if (normalized == 0) {
    NARROWS_TRY(weights, takeWeights(*weightShape, DarknetBlock::convolution, "weights"));
    NARROWS_TRY(y, add(conv, {x, weights, biases}, "conv"));
    NARROWS_TRY(activated, activate(section, y, "logistic"));
    current_ = activated;
    return {};
  }
  // The file has the normalisation's parameters before the weights; the graph has them behind.
  NARROWS_TRY(scales, takeWeights(Shape{filters}, DarknetBlock::scales, "scales"));
  NARROWS_TRY(means, takeWeights(Shape{filters}, DarknetBlock::means, "means"));
  NARROWS_TRY(variances, takeWeights(Shape{filters}, DarknetBlock::variances, "variances"));
  NARROWS_TRY(weights, takeWeights(*weightShape, DarknetBlock::convolution, "weights"));
  NARROWS_TRY(y, add(conv, {x, weights}, "conv"));
  NARROWS_TRY(normal, add(BatchNorm{0}, {y, scales, biases, means, variances}, "norm"));
  NARROWS_TRY(activated, activate(section, normal, "logistic"));
  current_ = activated;
  return {};
}

Status DarknetNetwork::addConnected(const DarknetSection& section) {
  NARROWS_TRY(outputs, section.integer("output", 1, 1, kMaxFilters));
  NARROWS_TRY(normalized, section.integer("batch_normalize", 0, 0, 1));
  NARROWS_CHECK(expectOff(section, {"dontload", "dontloadscales", "flipped"}));
  NARROWS_TRY(x, vector());
  const auto weightShape = Shape::create(std::array{outputs, graph_.shape(x)[1]});
  if (!weightShape.ok()) return weightShape.error();
  NARROWS_TRY(biases, takeWeights(Shape{outputs}, DarknetBlock::biases, "biases"));
  NARROWS_TRY(weights, takeWeights(*weightShape, DarknetBlock::connected, "weights"));
  Gemm gemm;
  gemm.transpose_b = true;
  if (normalized == 0) {
    NARROWS_TRY(y, add(gemm, {x, weights, biases}, "connected"));
    NARROWS_TRY(activated, activate(section, y, "logistic"));
    current_ = activated;
    return {};
  }
  NARROWS_TRY(y, add(gemm, {x, weights}, "connected"));
  NARROWS_TRY(normal, normalize(y, biases));
  NARROWS_TRY(activated, activate(section, normal, "logistic"));
  current_ = activated;
  return {};
}

Result<Window2d> DarknetNetwork::poolWindow(const DarknetSection& section) {
  NARROWS_TRY(stride, section.integer("stride", 1, 1, kMaxWindowExtent));
  NARROWS_TRY(stride_x, section.integer("stride_x", stride, 1, kMaxWindowExtent));
  NARROWS_TRY(stride_y, section.integer("stride_y", stride, 1, kMaxWindowExtent));
  NARROWS_TRY(size, section.integer("size", stride, 1, kMaxWindowExtent));
  NARROWS_TRY(padding, section.integer("padding", size - 1, 0, kMaxWindowExtent));
  NARROWS_CHECK(expectOff(section, {"maxpool_depth", "antialiasing"}));
  NARROWS_TRY(x, map());
  const std::int64_t height = graph_.shape(x)[2];
  const std::int64_t width = graph_.shape(x)[3];
  if (height + padding < size || width + padding < size) {
    return section.error(fmt::format("a window of {} does not fit {}x{} with padding {}", size,
                                     height, width, padding));
  }
  const std::int64_t front = padding / 2;
  const std::int64_t out_h = (height + padding - size) / stride_y + 1;
  const std::int64_t out_w = (width + padding - size) / stride_x + 1;
  Window2d window;
  window.kernel = {size, size};
  window.stride = {stride_y, stride_x};
  window.pads = {front, front, usedPadding(height, out_h, size, stride_y, front),
                 usedPadding(width, out_w, size, stride_x, front)};
  return window;
}

Status DarknetNetwork::addMaxPool(const DarknetSection& section) {
  NARROWS_TRY(window, poolWindow(section));
  NARROWS_TRY(x, map());
  NARROWS_TRY(y, add(MaxPool2d{window, false}, {x}, "maxpool"));
  current_ = y;
  return {};
}

Status DarknetNetwork::addLocalAveragePool(const DarknetSection& section) {
  NARROWS_TRY(window, poolWindow(section));
  NARROWS_TRY(x, map());
  NARROWS_TRY(y, add(AveragePool2d{window, false, false}, {x}, "local_avgpool"));
  current_ = y;
  return {};
}

Status DarknetNetwork::addAveragePool(const DarknetSection&) {
  NARROWS_TRY(x, map());
  NARROWS_TRY(y, add(GlobalPool{GlobalPoolKind::average}, {x}, "avgpool"));
  current_ = y;
  return {};
}

Status DarknetNetwork::addSoftmax(const DarknetSection& section) {
  NARROWS_TRY(groups, section.integer("groups", 1, 1, kMaxFilters));
  NARROWS_TRY(temperature, section.number("temperature", 1));
  NARROWS_TRY(spatial, section.integer("spatial", 0, 0, 1));
  if (section.has("tree")) return section.errorAt("tree", "not supported");
  if (!(temperature > 0)) return section.errorAt("temperature", "expected a positive number");
  NARROWS_TRY(x, spatial != 0 ? map() : vector());
  if (temperature != 1) {
    NARROWS_TRY(divisor, scalar(temperature));
    NARROWS_TRY(scaled, add(Binary{BinaryKind::div}, {x, divisor}, "temperature"));
    x = scaled;
  }
  if (spatial != 0 || groups == 1) {
    NARROWS_TRY(y, add(Softmax{1, false}, {x}, "softmax"));
    current_ = y;
    return {};
  }
  const std::int64_t inputs = graph_.shape(x)[1];
  if (inputs % groups != 0) {
    return section.errorAt("groups", fmt::format("does not divide {} inputs", inputs));
  }
  NARROWS_TRY(grouped, add(Reshape{{groups, inputs / groups}}, {x}, "groups"));
  NARROWS_TRY(shares, add(Softmax{1, false}, {grouped}, "softmax"));
  NARROWS_TRY(y, add(Reshape{{1, inputs}}, {shares}, "joined"));
  current_ = y;
  return {};
}

// The middle of the picture; values go from 0..1 to -1..1 unless `noadjust` says otherwise.
Status DarknetNetwork::addCrop(const DarknetSection& section) {
  NARROWS_TRY(height, section.integer("crop_height", 1, 1, kMaxExtent));
  NARROWS_TRY(width, section.integer("crop_width", 1, 1, kMaxExtent));
  NARROWS_TRY(no_adjust, section.integer("noadjust", 0, 0, 1));
  NARROWS_TRY(x, map());
  const Shape shape = graph_.shape(x);
  if (height > shape[2] || width > shape[3]) {
    return section.error(fmt::format("{}x{} out of {}x{}", height, width, shape[2], shape[3]));
  }
  Slice slice;
  slice.starts = {0, 0, (shape[2] - height) / 2, (shape[3] - width) / 2};
  slice.lengths = {1, shape[1], height, width};
  slice.steps = {1, 1, 1, 1};
  NARROWS_TRY(cropped, add(slice, {x}, "crop"));
  current_ = cropped;
  if (no_adjust != 0) return {};
  NARROWS_TRY(two, scalar(2));
  NARROWS_TRY(one, scalar(1));
  NARROWS_TRY(doubled, add(Binary{BinaryKind::mul}, {cropped, two}, "scale"));
  NARROWS_TRY(y, add(Binary{BinaryKind::sub}, {doubled, one}, "shift"));
  current_ = y;
  return {};
}

Status DarknetNetwork::addActivation(const DarknetSection& section) {
  NARROWS_TRY(x, map());
  NARROWS_TRY(y, activate(section, x, "linear"));
  current_ = y;
  return {};
}

// [dropout] and [cost] do nothing when a network runs.
Status DarknetNetwork::addNothing(const DarknetSection&) {
  if (!current_.valid()) return makeError("the layer before is a head, which no layer can read");
  return {};
}

}  // namespace narrows
