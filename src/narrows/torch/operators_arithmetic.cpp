#include <numeric>

#include "narrows/torch/convert.h"
#include "narrows/torch/operators.h"

// Products, elementwise arithmetic and reductions.
namespace narrows::torched {
namespace {

bool floating(const at::Tensor& x) {
  return at::isFloatingType(x.scalar_type());
}

at::Tensor hardSwish(const at::Tensor& x) {
  return x * at::clamp(x / 6.0 + 0.5, 0, 1);
}

}  // namespace

at::Tensor apply(const Gemm& op, const NodeContext&, const Tensors& in) {
  const at::Tensor a = op.transpose_a ? in[0].t() : in[0];
  const at::Tensor b = op.transpose_b ? in[1].t() : in[1];
  at::Tensor y = at::mm(a, b);
  if (op.alpha != 1) y = y * op.alpha;
  if (in.size() > 2 && in[2].defined()) y = y + (op.beta == 1 ? in[2] : in[2] * op.beta);
  return y;
}

at::Tensor apply(const MatMul&, const NodeContext&, const Tensors& in) {
  return at::matmul(in[0], in[1]);
}

at::Tensor apply(const Unary& op, const NodeContext&, const Tensors& in) {
  const at::Tensor& x = in[0];
  switch (op.kind) {
    case UnaryKind::relu:
      return at::relu(x);
    case UnaryKind::sigmoid:
      return at::sigmoid(x);
    case UnaryKind::tanh:
      return at::tanh(x);
    case UnaryKind::exp:
      return at::exp(x);
    case UnaryKind::log:
      return at::log(x);
    case UnaryKind::sqrt:
      return at::sqrt(x);
    case UnaryKind::abs:
      return at::abs(x);
    case UnaryKind::neg:
      return at::neg(x);
    case UnaryKind::erf:
      return at::erf(x);
    case UnaryKind::floor:
      return at::floor(x);
    case UnaryKind::ceil:
      return at::ceil(x);
    case UnaryKind::round:
      return at::round(x);
    case UnaryKind::reciprocal:
      return at::reciprocal(x);
    case UnaryKind::sign:
      return at::sign(x);
    case UnaryKind::softplus:
      return at::softplus(x);
    case UnaryKind::softsign:
      return x / (at::abs(x) + 1);
    case UnaryKind::mish:
      return at::mish(x);
    case UnaryKind::silu:
      return at::silu(x);
    case UnaryKind::hard_swish:
      return hardSwish(x);
    case UnaryKind::logical_not:
      return at::logical_not(x);
    case UnaryKind::sin:
      return at::sin(x);
    case UnaryKind::cos:
      return at::cos(x);
    case UnaryKind::tan:
      return at::tan(x);
    case UnaryKind::asin:
      return at::asin(x);
    case UnaryKind::acos:
      return at::acos(x);
    case UnaryKind::atan:
      return at::atan(x);
    case UnaryKind::sinh:
      return at::sinh(x);
    case UnaryKind::cosh:
      return at::cosh(x);
    case UnaryKind::asinh:
      return at::asinh(x);
    case UnaryKind::acosh:
      return at::acosh(x);
    case UnaryKind::atanh:
      return at::atanh(x);
    case UnaryKind::gelu:
      return at::gelu(x, "none");
    case UnaryKind::gelu_tanh:
      return at::gelu(x, "tanh");
    case UnaryKind::is_nan:
      return at::isnan(x);
    case UnaryKind::is_inf:
      return at::isinf(x);
  }
  NARROWS_ASSERT(false);
  return {};
}

at::Tensor apply(const LeakyRelu& op, const NodeContext&, const Tensors& in) {
  return at::leaky_relu(in[0], op.alpha);
}

at::Tensor apply(const Elu& op, const NodeContext&, const Tensors& in) {
  return at::elu(in[0], op.alpha, op.gamma, 1);
}

at::Tensor apply(const Clip& op, const NodeContext&, const Tensors& in) {
  return at::clamp(in[0], op.low, op.high);
}

at::Tensor apply(const HardSigmoid& op, const NodeContext&, const Tensors& in) {
  return at::clamp(in[0] * op.alpha + op.beta, 0, 1);
}

at::Tensor apply(const PRelu&, const NodeContext&, const Tensors& in) {
  return at::where(in[0] < 0, in[1] * in[0], in[0]);
}

at::Tensor apply(const Binary& op, const NodeContext&, const Tensors& in) {
  const at::Tensor& a = in[0];
  const at::Tensor& b = in[1];
  switch (op.kind) {
    case BinaryKind::add:
      return a + b;
    case BinaryKind::sub:
      return a - b;
    case BinaryKind::mul:
      return a * b;
    case BinaryKind::div:
      return floating(a) ? a / b : at::div(a, b, "trunc");
    case BinaryKind::pow:
      return at::pow(a, b).to(a.scalar_type());
    case BinaryKind::min:
      return at::minimum(a, b);
    case BinaryKind::max:
      return at::maximum(a, b);
    case BinaryKind::mod:
      return at::remainder(a, b);
    case BinaryKind::fmod:
      return at::fmod(a, b);
    case BinaryKind::equal:
      return a == b;
    case BinaryKind::less:
      return a < b;
    case BinaryKind::less_equal:
      return a <= b;
    case BinaryKind::greater:
      return a > b;
    case BinaryKind::greater_equal:
      return a >= b;
    case BinaryKind::logical_and:
      return at::logical_and(a, b);
    case BinaryKind::logical_or:
      return at::logical_or(a, b);
    case BinaryKind::logical_xor:
      return at::logical_xor(a, b);
  }
  NARROWS_ASSERT(false);
  return {};
}

at::Tensor apply(const Where&, const NodeContext&, const Tensors& in) {
  return at::where(in[0], in[1], in[2]);
}

at::Tensor apply(const Softmax& op, const NodeContext&, const Tensors& in) {
  return op.log ? at::log_softmax(in[0], op.axis) : at::softmax(in[0], op.axis);
}

at::Tensor apply(const Reduce& op, const NodeContext& context, const Tensors& in) {
  const at::Tensor& x = in[0];
  std::vector<std::int64_t> axes = op.axes;
  if (axes.empty()) {
    axes.resize(context.inputShape(0).rank());
    std::iota(axes.begin(), axes.end(), 0);
  }
  switch (op.kind) {
    case ReduceKind::mean:
      return at::mean(x, axes, op.keep);
    case ReduceKind::sum:
      return at::sum(x, axes, op.keep, x.scalar_type());
    case ReduceKind::max:
      return at::amax(x, axes, op.keep);
    case ReduceKind::min:
      return at::amin(x, axes, op.keep);
    case ReduceKind::prod: {
      at::Tensor y = x;
      // From the last axis on, so that the numbers of the others stay.
      std::sort(axes.begin(), axes.end(), std::greater<>());
      for (const std::int64_t axis : axes) y = at::prod(y, axis, op.keep, x.scalar_type());
      return y;
    }
    case ReduceKind::l1:
      return at::sum(at::abs(x), axes, op.keep, x.scalar_type());
    case ReduceKind::l2:
      return at::sqrt(at::sum(x * x, axes, op.keep));
    case ReduceKind::sum_square:
      return at::sum(x * x, axes, op.keep, x.scalar_type());
    case ReduceKind::log_sum:
      return at::log(at::sum(x, axes, op.keep));
    case ReduceKind::log_sum_exp:
      return at::logsumexp(x, axes, op.keep);
  }
  NARROWS_ASSERT(false);
  return {};
}

at::Tensor apply(const ArgReduce& op, const NodeContext&, const Tensors& in) {
  const at::Tensor x = op.last ? in[0].flip({op.axis}) : in[0];
  at::Tensor index = op.largest ? at::argmax(x, op.axis, op.keep) : at::argmin(x, op.axis, op.keep);
  return op.last ? x.size(op.axis) - 1 - index : index;
}

}  // namespace narrows::torched
