#include "narrows/graph/infer.h"

#include <algorithm>

#include "narrows/graph/infer_checks.h"

namespace narrows {
namespace {

using Inputs = InferInputs;
using Types = InferTypes;

Status checkWindow(const Window2d& window) {
  const auto positive = [](std::int64_t v) { return v > 0 && v < kMaxWindow; };
  const auto padding = [](std::int64_t v) { return v >= 0 && v < kMaxWindow; };
  if (!positive(window.kernel.h) || !positive(window.kernel.w))
    return makeError("kernel extents must be positive");
  if (!positive(window.stride.h) || !positive(window.stride.w))
    return makeError("strides must be positive");
  if (!positive(window.dilation.h) || !positive(window.dilation.w))
    return makeError("dilations must be positive");
  if (!padding(window.pads.top) || !padding(window.pads.left) || !padding(window.pads.bottom) ||
      !padding(window.pads.right)) {
    return makeError("pads must not be negative");
  }
  return {};
}

Result<Shape> windowShape(const Shape& x, const Window2d& window, std::int64_t channels,
                          bool ceil) {
  NARROWS_CHECK(checkWindow(window));
  NARROWS_TRY(h, windowOutput(x[2], window.kernel.h, window.stride.h, window.dilation.h,
                              window.pads.top, window.pads.bottom, ceil));
  NARROWS_TRY(w, windowOutput(x[3], window.kernel.w, window.stride.w, window.dilation.w,
                              window.pads.left, window.pads.right, ceil));
  return Shape::create(std::array{x[0], channels, h, w});
}

Status checkConvOperands(Inputs inputs, std::int64_t groups, const Window2d& window) {
  NARROWS_CHECK(expectInputs(inputs, 2, 3));
  NARROWS_CHECK(expectRank(*inputs[0], 4, "input"));
  NARROWS_CHECK(expectRank(*inputs[1], 4, "weight"));
  NARROWS_CHECK(expectSameDType(*inputs[0], *inputs[1]));
  const Shape& weight = inputs[1]->shape;
  if (weight[2] != window.kernel.h || weight[3] != window.kernel.w) {
    return makeError("weight {} does not fit the kernel {}x{}", toString(weight), window.kernel.h,
                     window.kernel.w);
  }
  if (groups < 1) return makeError("groups is {}", groups);
  return {};
}

Status checkBias(Inputs inputs, std::int64_t channels) {
  if (inputs.size() < 3 || !inputs[2]) return {};
  NARROWS_CHECK(expectSameDType(*inputs[0], *inputs[2]));
  return expectShape(*inputs[2], Shape{channels}, "bias");
}

Result<Types> infer(const Conv2d& op, Inputs inputs) {
  NARROWS_CHECK(checkConvOperands(inputs, op.groups, op.window));
  const Shape& x = inputs[0]->shape;
  const Shape& weight = inputs[1]->shape;
  if (x[1] % op.groups != 0 || weight[0] % op.groups != 0 || weight[1] != x[1] / op.groups) {
    return makeError("input {}, weight {} and {} groups do not fit", toString(x), toString(weight),
                     op.groups);
  }
  NARROWS_CHECK(checkBias(inputs, weight[0]));
  NARROWS_TRY(shape, windowShape(x, op.window, weight[0], false));
  return Types{{inputs[0]->dtype, shape}};
}

Result<Types> infer(const ConvTranspose2d& op, Inputs inputs) {
  NARROWS_CHECK(checkConvOperands(inputs, op.groups, op.window));
  NARROWS_CHECK(checkWindow(op.window));
  const Shape& x = inputs[0]->shape;
  const Shape& weight = inputs[1]->shape;
  if (x[1] % op.groups != 0 || weight[0] != x[1]) {
    return makeError("input {}, weight {} and {} groups do not fit", toString(x), toString(weight),
                     op.groups);
  }
  const std::int64_t channels = weight[1] * op.groups;
  NARROWS_CHECK(checkBias(inputs, channels));
  const Window2d& w = op.window;
  if (op.output_padding.h < 0 || op.output_padding.w < 0 || op.output_padding.h >= kMaxWindow ||
      op.output_padding.w >= kMaxWindow) {
    return makeError("output padding must not be negative");
  }
  const std::int64_t height = w.stride.h * (x[2] - 1) + op.output_padding.h +
                              w.dilation.h * (w.kernel.h - 1) + 1 - w.pads.top - w.pads.bottom;
  const std::int64_t width = w.stride.w * (x[3] - 1) + op.output_padding.w +
                             w.dilation.w * (w.kernel.w - 1) + 1 - w.pads.left - w.pads.right;
  NARROWS_TRY(shape, Shape::create(std::array{x[0], channels, height, width}));
  return Types{{inputs[0]->dtype, shape}};
}

Result<Types> inferPool(const Window2d& window, bool ceil, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  NARROWS_CHECK(expectRank(*inputs[0], 4, "input"));
  const Shape& x = inputs[0]->shape;
  const std::int64_t tall = window.dilation.h * (window.kernel.h - 1) + 1;
  const std::int64_t wide = window.dilation.w * (window.kernel.w - 1) + 1;
  // A window that lies in the padding alone would have no element.
  if (window.pads.top >= tall || window.pads.bottom >= tall || window.pads.left >= wide ||
      window.pads.right >= wide) {
    return makeError("pads must be smaller than the window");
  }
  NARROWS_TRY(shape, windowShape(x, window, x[1], ceil));
  return Types{{inputs[0]->dtype, shape}};
}

Result<Types> infer(const MaxPool2d& op, Inputs inputs) {
  return inferPool(op.window, op.ceil, inputs);
}

Result<Types> infer(const AveragePool2d& op, Inputs inputs) {
  return inferPool(op.window, op.ceil, inputs);
}

Result<Types> infer(const GlobalPool&, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  const Shape& x = inputs[0]->shape;
  if (x.rank() < 2) return makeError("input is {}, expected rank 2 or more", toString(x));
  Ints extents(x.rank(), 1);
  extents[0] = x[0];
  extents[1] = x[1];
  NARROWS_TRY(shape, Shape::create(extents));
  return Types{{inputs[0]->dtype, shape}};
}

Result<Types> infer(const BatchNorm&, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 5, 5));
  const Shape& x = inputs[0]->shape;
  if (x.rank() < 2) return makeError("input is {}, expected rank 2 or more", toString(x));
  for (std::size_t i = 1; i < 5; ++i) {
    NARROWS_CHECK(expectSameDType(*inputs[0], *inputs[i]));
    NARROWS_CHECK(expectShape(*inputs[i], Shape{x[1]}, "a parameter"));
  }
  return Types{*inputs[0]};
}

Result<Types> infer(const LocalResponseNorm& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  if (inputs[0]->shape.rank() < 2)
    return makeError("input is {}, expected rank 2 or more", toString(inputs[0]->shape));
  if (op.size < 1 || op.size > kMaxWindow) return makeError("size is {}", op.size);
  return Types{*inputs[0]};
}

Result<Types> infer(const Gemm& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 2, 3));
  NARROWS_CHECK(expectRank(*inputs[0], 2, "a"));
  NARROWS_CHECK(expectRank(*inputs[1], 2, "b"));
  NARROWS_CHECK(expectSameDType(*inputs[0], *inputs[1]));
  const Shape& a = inputs[0]->shape;
  const Shape& b = inputs[1]->shape;
  const std::int64_t m = a[op.transpose_a ? 1 : 0];
  const std::int64_t k = a[op.transpose_a ? 0 : 1];
  const std::int64_t n = b[op.transpose_b ? 0 : 1];
  if (b[op.transpose_b ? 1 : 0] != k)
    return makeError("{} and {} do not multiply", toString(a), toString(b));
  NARROWS_TRY(shape, Shape::create(std::array{m, n}));
  if (inputs.size() == 3 && inputs[2]) {
    NARROWS_CHECK(expectSameDType(*inputs[0], *inputs[2]));
    NARROWS_TRY(joint, broadcast(inputs[2]->shape, shape));
    if (joint != shape)
      return makeError("c is {}, result {}", toString(inputs[2]->shape), toString(shape));
  }
  return Types{{inputs[0]->dtype, shape}};
}

Result<Types> infer(const MatMul&, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 2, 2));
  NARROWS_CHECK(expectSameDType(*inputs[0], *inputs[1]));
  Ints a(inputs[0]->shape.extents().begin(), inputs[0]->shape.extents().end());
  Ints b(inputs[1]->shape.extents().begin(), inputs[1]->shape.extents().end());
  if (a.empty() || b.empty()) return makeError("a scalar operand");
  const bool row = a.size() == 1;
  const bool column = b.size() == 1;
  if (row) a.insert(a.begin(), 1);
  if (column) b.push_back(1);
  if (a.back() != b[b.size() - 2]) {
    return makeError("{} and {} do not multiply", toString(inputs[0]->shape),
                     toString(inputs[1]->shape));
  }
  NARROWS_TRY(batch_a, Shape::create(std::span(a).first(a.size() - 2)));
  NARROWS_TRY(batch_b, Shape::create(std::span(b).first(b.size() - 2)));
  NARROWS_TRY(batch, broadcast(batch_a, batch_b));
  Ints extents(batch.extents().begin(), batch.extents().end());
  if (!row) extents.push_back(a[a.size() - 2]);
  if (!column) extents.push_back(b.back());
  NARROWS_TRY(shape, Shape::create(extents));
  return Types{{inputs[0]->dtype, shape}};
}

Result<Types> inferSame(Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  return Types{*inputs[0]};
}

Result<Types> infer(const Unary& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  const bool logic = op.kind == UnaryKind::logical_not;
  if (logic != (inputs[0]->dtype == DType::boolean)) {
    return makeError("not defined for {}", toString(inputs[0]->dtype));
  }
  const bool gives_boolean = op.kind == UnaryKind::is_nan || op.kind == UnaryKind::is_inf;
  return Types{{gives_boolean ? DType::boolean : inputs[0]->dtype, inputs[0]->shape}};
}
Result<Types> infer(const LeakyRelu&, Inputs inputs) {
  return inferSame(inputs);
}
Result<Types> infer(const Elu&, Inputs inputs) {
  return inferSame(inputs);
}
Result<Types> infer(const Clip&, Inputs inputs) {
  return inferSame(inputs);
}
Result<Types> infer(const HardSigmoid&, Inputs inputs) {
  return inferSame(inputs);
}
Result<Types> infer(const Identity&, Inputs inputs) {
  return inferSame(inputs);
}

Result<Types> infer(const PRelu&, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 2, 2));
  NARROWS_CHECK(expectSameDType(*inputs[0], *inputs[1]));
  NARROWS_TRY(joint, broadcast(inputs[0]->shape, inputs[1]->shape));
  NARROWS_CHECK(expectShape(*inputs[0], joint, "input"));
  return Types{*inputs[0]};
}

bool isLogic(BinaryKind kind) {
  return kind == BinaryKind::logical_and || kind == BinaryKind::logical_or ||
         kind == BinaryKind::logical_xor;
}

Result<Types> infer(const Binary& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 2, 2));
  // A power may have an exponent of another type (ONNX Pow); the result has the base's.
  if (op.kind != BinaryKind::pow) NARROWS_CHECK(expectSameDType(*inputs[0], *inputs[1]));
  const bool boolean = inputs[0]->dtype == DType::boolean;
  if (isLogic(op.kind) ? !boolean : boolean && op.kind != BinaryKind::equal) {
    return makeError("not defined for {}", toString(inputs[0]->dtype));
  }
  NARROWS_TRY(shape, broadcast(inputs[0]->shape, inputs[1]->shape));
  const bool gives_boolean = op.kind >= BinaryKind::equal;
  return Types{{gives_boolean ? DType::boolean : inputs[0]->dtype, shape}};
}

Result<Types> infer(const Where&, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 3, 3));
  if (inputs[0]->dtype != DType::boolean) return makeError("the condition is not boolean");
  NARROWS_CHECK(expectSameDType(*inputs[1], *inputs[2]));
  NARROWS_TRY(values, broadcast(inputs[1]->shape, inputs[2]->shape));
  NARROWS_TRY(shape, broadcast(inputs[0]->shape, values));
  return Types{{inputs[1]->dtype, shape}};
}

Result<Types> infer(const Softmax& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  NARROWS_CHECK(checkAxis(op.axis, inputs[0]->shape));
  return Types{*inputs[0]};
}

Result<Types> infer(const Concat& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, inputs.size(), inputs.size()));
  if (inputs.empty()) return makeError("no inputs");
  NARROWS_CHECK(checkAxis(op.axis, inputs[0]->shape));
  const auto axis = static_cast<std::size_t>(op.axis);
  Ints extents(inputs[0]->shape.extents().begin(), inputs[0]->shape.extents().end());
  std::int64_t total = 0;
  for (const auto& input : inputs) {
    NARROWS_CHECK(expectSameDType(*inputs[0], *input));
    NARROWS_CHECK(expectRank(*input, extents.size(), "an input"));
    for (std::size_t i = 0; i < extents.size(); ++i) {
      if (i != axis && input->shape[i] != extents[i]) {
        return makeError("{} and {} do not join along axis {}", toString(inputs[0]->shape),
                         toString(input->shape), axis);
      }
    }
    total += input->shape[axis];
  }
  extents[axis] = total;
  NARROWS_TRY(shape, Shape::create(extents));
  return Types{{inputs[0]->dtype, shape}};
}

Result<Types> infer(const Split& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  NARROWS_CHECK(checkAxis(op.axis, inputs[0]->shape));
  const auto axis = static_cast<std::size_t>(op.axis);
  Ints extents(inputs[0]->shape.extents().begin(), inputs[0]->shape.extents().end());
  std::int64_t left = extents[axis];
  Types types;
  for (std::int64_t size : op.sizes) {
    if (size < 0 || size > left)
      return makeError("sizes do not add up to {}", inputs[0]->shape[axis]);
    left -= size;
    extents[axis] = size;
    NARROWS_TRY(shape, Shape::create(extents));
    types.push_back({inputs[0]->dtype, shape});
  }
  if (left != 0 || types.empty())
    return makeError("sizes do not add up to {}", inputs[0]->shape[axis]);
  return types;
}

Result<Types> infer(const Slice& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  const Shape& x = inputs[0]->shape;
  NARROWS_CHECK(expectPerAxis(op.starts, x, "starts"));
  NARROWS_CHECK(expectPerAxis(op.lengths, x, "lengths"));
  NARROWS_CHECK(expectPerAxis(op.steps, x, "steps"));
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    const std::int64_t start = op.starts[axis];
    const std::int64_t length = op.lengths[axis];
    const std::int64_t step = op.steps[axis];
    if (length < 0 || length > x[axis] || step == 0 || step > kMaxWindow || step < -kMaxWindow) {
      return makeError("axis {}: length {} with step {} of extent {}", axis, length, step, x[axis]);
    }
    if (length == 0) continue;
    const std::int64_t last = start + (length - 1) * step;
    if (start < 0 || start >= x[axis] || last < 0 || last >= x[axis]) {
      return makeError("axis {}: elements {} to {} of extent {}", axis, start, last, x[axis]);
    }
  }
  NARROWS_TRY(shape, Shape::create(op.lengths));
  return Types{{inputs[0]->dtype, shape}};
}

Result<Types> infer(const Pad& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  const Shape& x = inputs[0]->shape;
  NARROWS_CHECK(expectPerAxis(op.before, x, "leading pads"));
  NARROWS_CHECK(expectPerAxis(op.after, x, "trailing pads"));
  Ints extents;
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    const std::int64_t before = op.before[axis];
    const std::int64_t after = op.after[axis];
    if (std::max(before, after) > kMaxWindow || std::min(before, after) < -kMaxWindow) {
      return makeError("axis {}: pads {} and {}", axis, before, after);
    }
    if (op.mode == PadMode::reflect &&
        std::max(before, after) >= std::max<std::int64_t>(x[axis], 1)) {
      return makeError("axis {}: reflection of {} in extent {}", axis, std::max(before, after),
                       x[axis]);
    }
    if (op.mode == PadMode::edge && std::max(before, after) > 0 && x[axis] == 0) {
      return makeError("axis {}: no edge to repeat", axis);
    }
    extents.push_back(x[axis] + before + after);
  }
  NARROWS_TRY(shape, Shape::create(extents));
  return Types{{inputs[0]->dtype, shape}};
}

Result<Types> infer(const Resize& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  const Shape& x = inputs[0]->shape;
  NARROWS_CHECK(expectPerAxis(op.sizes, x, "sizes"));
  if (op.scales.size() != x.rank())
    return makeError("{} scales for a tensor of rank {}", op.scales.size(), x.rank());
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    if (!(op.scales[axis] > 0) || op.scales[axis] > 1e6)
      return makeError("axis {}: scale {}", axis, op.scales[axis]);
    if (x[axis] == 0 && op.sizes[axis] != 0) return makeError("axis {}: nothing to resample", axis);
  }
  NARROWS_TRY(shape, Shape::create(op.sizes));
  return Types{{inputs[0]->dtype, shape}};
}

Result<Types> infer(const Transpose& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  const Shape& x = inputs[0]->shape;
  NARROWS_CHECK(expectPerAxis(op.permutation, x, "axes"));
  Ints extents;
  std::vector<bool> seen(x.rank(), false);
  for (std::int64_t axis : op.permutation) {
    NARROWS_CHECK(checkAxis(axis, x));
    if (seen[static_cast<std::size_t>(axis)]) return makeError("axis {} is listed twice", axis);
    seen[static_cast<std::size_t>(axis)] = true;
    extents.push_back(x[static_cast<std::size_t>(axis)]);
  }
  NARROWS_TRY(shape, Shape::create(extents));
  return Types{{inputs[0]->dtype, shape}};
}

Result<Types> infer(const Reshape& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  NARROWS_TRY(shape, Shape::create(op.shape));
  if (shape.elements() != inputs[0]->elements()) {
    return makeError("{} has not as many elements as {}", toString(inputs[0]->shape),
                     toString(shape));
  }
  return Types{{inputs[0]->dtype, shape}};
}

Result<Types> infer(const Expand& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  NARROWS_TRY(target, Shape::create(op.shape));
  NARROWS_TRY(shape, broadcast(inputs[0]->shape, target));
  return Types{{inputs[0]->dtype, shape}};
}

Result<Types> infer(const Tile& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  const Shape& x = inputs[0]->shape;
  NARROWS_CHECK(expectPerAxis(op.repeats, x, "repeats"));
  Ints extents;
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    if (op.repeats[axis] < 0 || op.repeats[axis] > kMaxWindow)
      return makeError("axis {}: {} repeats", axis, op.repeats[axis]);
    if (x[axis] > Shape::kMaxElements / std::max<std::int64_t>(op.repeats[axis], 1))
      return makeError("axis {}: too large", axis);
    extents.push_back(x[axis] * op.repeats[axis]);
  }
  NARROWS_TRY(shape, Shape::create(extents));
  return Types{{inputs[0]->dtype, shape}};
}

Result<Shape> reducedShape(const Shape& x, const Ints& axes, bool keep) {
  std::vector<bool> folded(x.rank(), false);
  for (std::int64_t axis : axes) {
    NARROWS_CHECK(checkAxis(axis, x));
    if (folded[static_cast<std::size_t>(axis)]) return makeError("axis {} is listed twice", axis);
    folded[static_cast<std::size_t>(axis)] = true;
  }
  Ints extents;
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    if (!folded[axis]) {
      extents.push_back(x[axis]);
    } else if (keep) {
      extents.push_back(1);
    }
  }
  return Shape::create(extents);
}

Result<Types> infer(const Reduce& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  NARROWS_TRY(shape, reducedShape(inputs[0]->shape, op.axes, op.keep));
  return Types{{inputs[0]->dtype, shape}};
}

Result<Types> infer(const ArgReduce& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  NARROWS_CHECK(checkAxis(op.axis, inputs[0]->shape));
  if (inputs[0]->shape[static_cast<std::size_t>(op.axis)] == 0)
    return makeError("no element along axis {}", op.axis);
  NARROWS_TRY(shape, reducedShape(inputs[0]->shape, {op.axis}, op.keep));
  return Types{{DType::i64, shape}};
}

Result<Types> infer(const Cast& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  return Types{{op.to, inputs[0]->shape}};
}

Result<Types> infer(const DepthToSpace& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  NARROWS_CHECK(expectRank(*inputs[0], 4, "input"));
  const Shape& x = inputs[0]->shape;
  if (op.block < 1 || op.block > kMaxWindow || x[1] % (op.block * op.block) != 0) {
    return makeError("{} channels in blocks of {}", x[1], op.block);
  }
  NARROWS_TRY(shape, Shape::create(std::array{x[0], x[1] / (op.block * op.block), x[2] * op.block,
                                              x[3] * op.block}));
  return Types{{inputs[0]->dtype, shape}};
}

Result<Types> infer(const SpaceToDepth& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  NARROWS_CHECK(expectRank(*inputs[0], 4, "input"));
  const Shape& x = inputs[0]->shape;
  if (op.block < 1 || op.block > kMaxWindow || x[2] % op.block != 0 || x[3] % op.block != 0) {
    return makeError("a map of {}x{} in blocks of {}", x[2], x[3], op.block);
  }
  NARROWS_TRY(shape, Shape::create(std::array{x[0], x[1] * op.block * op.block, x[2] / op.block,
                                              x[3] / op.block}));
  return Types{{inputs[0]->dtype, shape}};
}

}  // namespace

Result<std::int64_t> windowOutput(std::int64_t input, std::int64_t kernel, std::int64_t stride,
                                  std::int64_t dilation, std::int64_t pad_begin,
                                  std::int64_t pad_end, bool ceil) {
  const std::int64_t reach = dilation * (kernel - 1) + 1;
  const std::int64_t room = input + pad_begin + pad_end - reach;
  if (room < 0) {
    return makeError("a window of {} does not fit an extent of {} with padding {} and {}", reach,
                     input, pad_begin, pad_end);
  }
  std::int64_t count = room / stride + 1;
  // The last window of ceil mode must start on the input or its leading padding (PyTorch's rule).
  if (ceil && room % stride != 0 && count * stride < input + pad_begin) ++count;
  return count;
}

Result<std::vector<TensorType>> inferTypes(const Op& op, Inputs inputs) {
  return std::visit([&](const auto& attributes) { return infer(attributes, inputs); }, op);
}

}  // namespace narrows
