#include <limits>

#include "narrows/torch/convert.h"
#include "narrows/torch/operators.h"

// Convolutions, pools and normalisation. Padding of sides that differ is put around the map first,
// since libtorch pads both sides alike.
namespace narrows::torched {
namespace {

/// In each direction; two braced zeros would also be a string.
constexpr at::IntArrayRef::value_type kZeros[] = {0, 0};
const at::IntArrayRef kNoPadding(kZeros);

bool symmetric(const Padding2d& pads) {
  return pads.top == pads.bottom && pads.left == pads.right;
}

at::Tensor padded(const at::Tensor& x, const Padding2d& pads, double value) {
  if (pads == Padding2d{}) return x;
  return at::constant_pad_nd(x, {pads.left, pads.right, pads.top, pads.bottom}, value);
}

/// Rows (or columns) of input that `count` windows touch.
std::int64_t reachOf(std::int64_t count, std::int64_t kernel, std::int64_t stride,
                     std::int64_t dilation) {
  return (count - 1) * stride + dilation * (kernel - 1) + 1;
}

/// The window's padding, with what windows of ceil mode reach beyond it (or leave unread: negative)
/// added at the end, so that the rule that rounds down gives the output's extent.
Padding2d exactPads(const Window2d& w, const Shape& x, const Shape& y) {
  Padding2d pads = w.pads;
  pads.bottom = reachOf(y[2], w.kernel.h, w.stride.h, w.dilation.h) - x[2] - pads.top;
  pads.right = reachOf(y[3], w.kernel.w, w.stride.w, w.dilation.w) - x[3] - pads.left;
  return pads;
}

/// Sum over each window of a map that is padded already.
at::Tensor windowSum(const at::Tensor& x, const Window2d& w) {
  const auto n = x.size(0);
  const auto c = x.size(1);
  const at::Tensor ones = at::ones({1, 1, w.kernel.h, w.kernel.w}, x.options());
  const at::Tensor sum =
      at::conv2d(x.reshape({n * c, 1, x.size(2), x.size(3)}), ones, {}, {w.stride.h, w.stride.w},
                 kNoPadding, {w.dilation.h, w.dilation.w});
  return sum.reshape({n, c, sum.size(2), sum.size(3)});
}

}  // namespace

at::Tensor apply(const Conv2d& op, const NodeContext& context, const Tensors& in) {
  const Window2d& w = op.window;
  const auto convolved = [&](const at::Tensor& x, const at::Tensor& weights,
                             const at::Tensor& bias) {
    return symmetric(w.pads)
               ? at::conv2d(x, weights, bias, {w.stride.h, w.stride.w}, {w.pads.top, w.pads.left},
                            {w.dilation.h, w.dilation.w}, op.groups)
               : at::conv2d(padded(x, w.pads, 0), weights, bias, {w.stride.h, w.stride.w},
                            kNoPadding, {w.dilation.h, w.dilation.w}, op.groups);
  };
  const at::Tensor bias = in.size() > 2 ? in[2] : at::Tensor();
  if (in[0].scalar_type() != at::kFloat || context.factors == at::kFloat) {
    return convolved(in[0], in[1], bias);
  }
  const at::Tensor y =
      convolved(in[0].to(context.factors), in[1].to(context.factors), {}).to(at::kFloat);
  return bias.defined() ? y + bias.reshape({1, -1, 1, 1}) : y;
}

at::Tensor apply(const ConvTranspose2d& op, const NodeContext& context, const Tensors& in) {
  const Window2d& w = op.window;
  const Shape& y = context.outputShape();
  at::Tensor full = at::conv_transpose2d(in[0], in[1], {}, {w.stride.h, w.stride.w}, {0, 0}, {0, 0},
                                         op.groups, {w.dilation.h, w.dilation.w});
  // The output is a window of the full one; it may reach beyond its end, where only the bias is.
  const std::int64_t bottom = y[2] + w.pads.top - full.size(2);
  const std::int64_t right = y[3] + w.pads.left - full.size(3);
  full = at::constant_pad_nd(full, {-w.pads.left, right, -w.pads.top, bottom}, 0);
  if (in.size() > 2 && in[2].defined()) full = full + in[2].reshape({1, -1, 1, 1});
  return full;
}

at::Tensor apply(const MaxPool2d& op, const NodeContext& context, const Tensors& in) {
  const Window2d& w = op.window;
  const Padding2d pads = exactPads(w, context.inputShape(0), context.outputShape());
  const at::Tensor x = padded(in[0], pads, -std::numeric_limits<double>::infinity());
  return at::max_pool2d(x, {w.kernel.h, w.kernel.w}, {w.stride.h, w.stride.w}, {0, 0},
                        {w.dilation.h, w.dilation.w});
}

at::Tensor apply(const AveragePool2d& op, const NodeContext& context, const Tensors& in) {
  const Window2d& w = op.window;
  const Shape& x = context.inputShape(0);
  const Padding2d pads = exactPads(w, x, context.outputShape());
  const at::Tensor sum = windowSum(padded(in[0], pads, 0), w);
  // How many elements of each window count: those of the map and, if wanted, of its own padding.
  Padding2d rest = pads;
  at::Tensor counted = at::ones({1, 1, x[2], x[3]}, in[0].options());
  if (op.count_pads) {
    counted = padded(counted, w.pads, 1);
    rest = {0, 0, pads.bottom - w.pads.bottom, pads.right - w.pads.right};
  }
  const at::Tensor count = windowSum(padded(counted, rest, 0), w);
  return sum / count.clamp_min(1);
}

at::Tensor apply(const GlobalPool& op, const NodeContext& context, const Tensors& in) {
  std::vector<std::int64_t> axes;
  for (std::size_t axis = 2; axis < context.inputShape(0).rank(); ++axis) {
    axes.push_back(static_cast<std::int64_t>(axis));
  }
  return op.kind == GlobalPoolKind::average ? at::mean(in[0], axes, true)
                                            : at::amax(in[0], axes, true);
}

at::Tensor apply(const BatchNorm& op, const NodeContext& context, const Tensors& in) {
  return at::batch_norm(in[0], in[1], in[2], in[3], in[4], context.norm.training,
                        context.norm.momentum, op.epsilon, false);
}

at::Tensor apply(const LocalResponseNorm& op, const NodeContext& context, const Tensors& in) {
  const std::int64_t channels = context.inputShape(0)[1];
  std::vector<std::int64_t> pads(2 * (in[0].dim() - 1), 0);
  pads[pads.size() - 2] = (op.size - 1) / 2;
  pads[pads.size() - 1] = op.size / 2;
  const at::Tensor squares = at::constant_pad_nd(in[0] * in[0], pads, 0);
  at::Tensor sum = squares.narrow(1, 0, channels);
  for (std::int64_t k = 1; k < op.size; ++k) sum = sum + squares.narrow(1, k, channels);
  const double factor = op.alpha / static_cast<double>(op.size);
  return in[0] / at::pow(sum * factor + op.bias, op.beta);
}

}  // namespace narrows::torched
