#include <algorithm>

#include "narrows/formats/onnx_operators.h"
#include "narrows/formats/onnx_window.h"

namespace narrows {
namespace {

/// Extents of a weight's kernel, after checking that its rank is the input's.
Result<Ints> kernelOf(const Shape& x, const Shape& weight) {
  if (weight.rank() != x.rank()) {
    return makeError("weight {} for input {}", toString(weight), toString(x));
  }
  return Ints(weight.extents().begin() + std::min<std::ptrdiff_t>(2, std::ssize(weight.extents())),
              weight.extents().end());
}

/// Padding of a transposed convolution along one axis that makes its output `output` long.
Status padTransposed(std::int64_t input, std::int64_t kernel, std::int64_t stride,
                     std::int64_t dilation, std::int64_t output, bool upper,
                     std::int64_t& output_padding, std::int64_t& begin, std::int64_t& end) {
  if (output < 1 || output > (std::int64_t{1} << 32)) return makeError("output_shape {}", output);
  const std::int64_t reach = dilation * (kernel - 1) + 1;
  std::int64_t total = stride * (input - 1) + output_padding + reach - output;
  if (total < 0) {
    output_padding -= total;
    total = 0;
  }
  begin = upper ? total / 2 : total - total / 2;
  end = total - begin;
  return {};
}

}  // namespace

Status mapConv(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(weight, node.input(1));
  const std::size_t rank = node.shape(x).rank();
  NARROWS_TRY(kernel, kernelOf(node.shape(x), node.shape(weight)));
  NARROWS_TRY(read, readWindow(node, node.shape(x), kernel));
  NARROWS_TRY(groups, node.attributes.integer("group", 1));
  NARROWS_TRY(x_map, asMap(node, x));
  NARROWS_TRY(weight_map, asMap(node, weight));
  std::vector<OperandId> inputs{x_map, weight_map};
  if (node.hasInput(2)) {
    NARROWS_TRY(bias, node.input(2));
    inputs.push_back(bias);
  }
  return finishWindow(node, Conv2d{read.window, groups}, std::move(inputs), rank);
}

Status mapConvTranspose(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(weight, node.input(1));
  const Shape shape = node.shape(x);
  NARROWS_TRY(kernel, kernelOf(shape, node.shape(weight)));
  NARROWS_TRY(read, readWindow(node, shape, kernel));
  NARROWS_TRY(groups, node.attributes.integer("group", 1));
  const std::size_t axes = shape.rank() - 2;
  NARROWS_TRY(output_padding, node.attributes.integers("output_padding"));
  NARROWS_TRY(output_shape, node.attributes.integers("output_shape"));
  if (output_padding.empty()) output_padding.assign(axes, 0);
  if (output_padding.size() != axes) return makeError("output_padding for {} axes", axes);
  for (std::int64_t padding : output_padding) {
    if (padding < 0 || padding > (1 << 24)) return makeError("output_padding {}", padding);
  }
  Window2d& window = read.window;
  ConvTranspose2d op{
      window, groups,
      axes == 1 ? Extent2d{0, output_padding[0]} : Extent2d{output_padding[0], output_padding[1]}};
  if (read.same && output_shape.empty()) {
    if (axes == 2) output_shape.push_back(shape[2] * window.stride.h);
    output_shape.push_back(shape[axes + 1] * window.stride.w);
  }
  if (!output_shape.empty()) {
    // Some exporters list the batch and channels as well.
    if (output_shape.size() == shape.rank())
      output_shape.erase(output_shape.begin(), output_shape.begin() + 2);
    if (output_shape.size() != axes) return makeError("output_shape for {} axes", axes);
    Padding2d& pads = op.window.pads;
    pads = {};
    if (axes == 2) {
      NARROWS_CHECK(padTransposed(shape[2], window.kernel.h, window.stride.h, window.dilation.h,
                                  output_shape[0], read.same_upper, op.output_padding.h, pads.top,
                                  pads.bottom));
    }
    NARROWS_CHECK(padTransposed(shape[axes + 1], window.kernel.w, window.stride.w,
                                window.dilation.w, output_shape.back(), read.same_upper,
                                op.output_padding.w, pads.left, pads.right));
  }
  NARROWS_TRY(x_map, asMap(node, x));
  NARROWS_TRY(weight_map, asMap(node, weight));
  std::vector<OperandId> inputs{x_map, weight_map};
  if (node.hasInput(2)) {
    NARROWS_TRY(bias, node.input(2));
    inputs.push_back(bias);
  }
  return finishWindow(node, op, std::move(inputs), shape.rank());
}

Status mapMaxPool(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  if (node.hasOutput(1)) return makeError("the output Indices is not supported");
  const std::size_t rank = node.shape(x).rank();
  NARROWS_TRY(read, readWindow(node, node.shape(x), {}));
  NARROWS_TRY(ceil, node.attributes.flag("ceil_mode", false));
  node.attributes.ignore({"storage_order"});
  NARROWS_TRY(map, asMap(node, x));
  return finishWindow(node, MaxPool2d{read.window, ceil && !read.automatic}, {map}, rank);
}

Status mapAveragePool(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  const std::size_t rank = node.shape(x).rank();
  NARROWS_TRY(read, readWindow(node, node.shape(x), {}));
  NARROWS_TRY(ceil, node.attributes.flag("ceil_mode", false));
  NARROWS_TRY(count_pads, node.attributes.flag("count_include_pad", false));
  NARROWS_TRY(map, asMap(node, x));
  return finishWindow(node, AveragePool2d{read.window, ceil && !read.automatic, count_pads}, {map},
                      rank);
}

Status mapGlobalAveragePool(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  return node.finish(GlobalPool{GlobalPoolKind::average}, {x});
}

Status mapGlobalMaxPool(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  return node.finish(GlobalPool{GlobalPoolKind::max}, {x});
}

}  // namespace narrows
