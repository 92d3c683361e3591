#include <algorithm>
#include <array>

#include "narrows/formats/onnx_operators.h"
#include "narrows/formats/onnx_window.h"
#include "narrows/graph/infer.h"

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

/// The pool of a volume, of pools of maps, as the node's output.
Status finishVolume(NodeImport& node, OperandId x, const WindowAxes& axes, const PoolMaker& make) {
  NARROWS_TRY(pooled, poolVolume(node, x, axes, make));
  return node.finish(Identity{}, {pooled});
}

/// Padding behind an axis with which a window that only rounds down covers what one that rounds up
/// does.
Result<std::int64_t> roundedUpPad(std::int64_t input, std::int64_t kernel, std::int64_t stride,
                                  std::int64_t dilation, std::int64_t begin, std::int64_t end) {
  NARROWS_TRY(count, windowOutput(input, kernel, stride, dilation, begin, end, true));
  const std::int64_t reach = dilation * (kernel - 1) + 1;
  return std::max(end, (count - 1) * stride + reach - begin - input);
}

/// The sum of each channel's elements in a window: a depthwise convolution with ones.
Result<OperandId> sumWindow(NodeImport& node, OperandId map, Window2d window, bool ceil) {
  const Shape x = node.shape(map);
  if (ceil) {
    NARROWS_TRY(bottom, roundedUpPad(x[2], window.kernel.h, window.stride.h, window.dilation.h,
                                     window.pads.top, window.pads.bottom));
    NARROWS_TRY(right, roundedUpPad(x[3], window.kernel.w, window.stride.w, window.dilation.w,
                                    window.pads.left, window.pads.right));
    window.pads.bottom = bottom;
    window.pads.right = right;
  }
  NARROWS_TRY(shape,
              Shape::create(std::array{x[1], std::int64_t{1}, window.kernel.h, window.kernel.w}));
  NARROWS_CHECK(node.spend(TensorType{DType::f32, shape}.bytes()));
  Tensor ones(DType::f32, shape);
  std::fill(ones.mutableAs<float>().begin(), ones.mutableAs<float>().end(), 1.0F);
  return node.add(Conv2d{window, x[1]}, {map, node.constant(std::move(ones))});
}

/// |x|^p.
Result<OperandId> absolutePower(NodeImport& node, OperandId x, std::int64_t p) {
  NARROWS_TRY(magnitude, node.add(Unary{UnaryKind::abs}, {x}));
  if (p == 1) return magnitude;
  if (p == 2) return node.add(Binary{BinaryKind::mul}, {x, x});
  NARROWS_TRY(exponent, node.scalar(static_cast<double>(p), node.type(x).dtype));
  return node.add(Binary{BinaryKind::pow}, {magnitude, exponent});
}

/// x^(1/p) as the node's output.
Status finishRoot(NodeImport& node, OperandId x, std::int64_t p) {
  if (p == 1) return node.finish(Identity{}, {x});
  if (p == 2) return node.finish(Unary{UnaryKind::sqrt}, {x});
  NARROWS_TRY(exponent, node.scalar(1 / static_cast<double>(p), node.type(x).dtype));
  return node.finish(Binary{BinaryKind::pow}, {x, exponent});
}

Result<std::int64_t> readNorm(NodeImport& node, OperandId x) {
  NARROWS_TRY(p, node.attributes.integer("p", 2));
  if (p < 1 || p > 64) return makeError("p is {}", p);
  if (node.type(x).dtype != DType::f32)
    return makeError("not supported for {}", toString(node.type(x).dtype));
  return p;
}

}  // namespace

Result<OperandId> convolve(NodeImport& node, OperandId x, OperandId weight, OperandId bias) {
  const Shape shape = node.shape(x);
  NARROWS_TRY(kernel, kernelOf(shape, node.shape(weight)));
  if (shape.rank() == 5) return convolveVolume(node, x, weight, bias);
  NARROWS_TRY(read, readWindow(node, shape, kernel));
  NARROWS_TRY(groups, node.attributes.integer("group", 1));
  NARROWS_TRY(x_map, asMap(node, x));
  NARROWS_TRY(weight_map, asMap(node, weight));
  std::vector<OperandId> inputs{x_map, weight_map};
  if (bias.valid()) inputs.push_back(bias);
  NARROWS_TRY(map, node.add(Conv2d{read.window, groups}, std::move(inputs)));
  if (shape.rank() != 3) return map;
  const Shape y = node.shape(map);
  return node.add(Reshape{{y[0], y[1], y[3]}}, {map});
}

Status mapConv(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(weight, node.input(1));
  OperandId bias;
  if (node.hasInput(2)) {
    NARROWS_TRY(given, node.input(2));
    bias = given;
  }
  const std::size_t rank = node.shape(x).rank();
  NARROWS_TRY(kernel, kernelOf(node.shape(x), node.shape(weight)));
  if (rank == 5) {
    NARROWS_TRY(y, convolveVolume(node, x, weight, bias));
    return node.finish(Identity{}, {y});
  }
  NARROWS_TRY(read, readWindow(node, node.shape(x), kernel));
  NARROWS_TRY(groups, node.attributes.integer("group", 1));
  NARROWS_TRY(x_map, asMap(node, x));
  NARROWS_TRY(weight_map, asMap(node, weight));
  std::vector<OperandId> inputs{x_map, weight_map};
  if (bias.valid()) inputs.push_back(bias);
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
  NARROWS_TRY(ceil, node.attributes.flag("ceil_mode", false));
  node.attributes.ignore({"storage_order"});
  if (rank == 5) {
    NARROWS_TRY(axes, readWindowAxes(node, node.shape(x), {}));
    return finishVolume(node, x, axes, [&](OperandId map, const Window2d& window) {
      return node.add(MaxPool2d{window, ceil && !axes.automatic}, {map});
    });
  }
  NARROWS_TRY(read, readWindow(node, node.shape(x), {}));
  NARROWS_TRY(map, asMap(node, x));
  return finishWindow(node, MaxPool2d{read.window, ceil && !read.automatic}, {map}, rank);
}

Status mapAveragePool(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  const std::size_t rank = node.shape(x).rank();
  NARROWS_TRY(ceil, node.attributes.flag("ceil_mode", false));
  NARROWS_TRY(count_pads, node.attributes.flag("count_include_pad", false));
  if (rank == 5) {
    NARROWS_TRY(axes, readWindowAxes(node, node.shape(x), {}));
    return finishVolume(node, x, axes, [&](OperandId map, const Window2d& window) {
      return node.add(AveragePool2d{window, ceil && !axes.automatic, count_pads}, {map});
    });
  }
  NARROWS_TRY(read, readWindow(node, node.shape(x), {}));
  NARROWS_TRY(map, asMap(node, x));
  return finishWindow(node, AveragePool2d{read.window, ceil && !read.automatic, count_pads}, {map},
                      rank);
}

// (sum of |x|^p)^(1/p)
Status mapLpPool(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(p, readNorm(node, x));
  NARROWS_TRY(ceil_mode, node.attributes.flag("ceil_mode", false));
  const Shape shape = node.shape(x);
  NARROWS_TRY(axes, readWindowAxes(node, shape, {}));
  const bool ceil = ceil_mode && !axes.automatic;
  NARROWS_TRY(powers, absolutePower(node, x, p));
  if (shape.rank() == 5) {
    NARROWS_TRY(sums, poolVolume(node, powers, axes, [&](OperandId map, const Window2d& window) {
                  return sumWindow(node, map, window, ceil);
                }));
    return finishRoot(node, sums, p);
  }
  NARROWS_TRY(read, readWindow(node, shape, {}));
  NARROWS_TRY(map, asMap(node, powers));
  NARROWS_TRY(sums, sumWindow(node, map, read.window, ceil));
  if (shape.rank() == 4) return finishRoot(node, sums, p);
  const Shape y = node.shape(sums);
  NARROWS_TRY(sequence, node.add(Reshape{{y[0], y[1], y[3]}}, {sums}));
  return finishRoot(node, sequence, p);
}

Status mapGlobalLpPool(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(p, readNorm(node, x));
  Ints axes;
  for (std::size_t i = 2; i < node.shape(x).rank(); ++i)
    axes.push_back(static_cast<std::int64_t>(i));
  if (axes.empty()) return makeError("input is {}, expected maps", toString(node.shape(x)));
  NARROWS_TRY(powers, absolutePower(node, x, p));
  NARROWS_TRY(sums, node.add(Reduce{ReduceKind::sum, axes, true}, {powers}));
  return finishRoot(node, sums, p);
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
