#include <algorithm>
#include <cmath>

#include "narrows/engine/reference/element.h"
#include "narrows/engine/reference/kernels.h"

namespace narrows::reference {
namespace {

/// y[i] = f(x[i]).
template <class T, class R, class F>
Kernel map(F f) {
  return [f](const KernelTensors& t) -> Status {
    const T* x = elements<T>(t.inputs[0]);
    R* y = elements<R>(t.outputs[0]);
    const std::int64_t count = t.inputs[0].type().elements();
    for (std::int64_t i = 0; i < count; ++i) y[i] = f(x[i]);
    return {};
  };
}

/// The same for one floating type and its function on that type.
template <class F>
Result<Kernel> mapFloating(DType dtype, F f) {
  return forFloating(dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return map<T, T>([f](T x) -> T { return f(x); });
  });
}

template <class F>
Result<Kernel> mapNumber(DType dtype, F f) {
  return forNumber(dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return map<T, T>([f](T x) -> T { return f(x); });
  });
}

template <class F>
Result<Kernel> testFloating(DType dtype, F f) {
  return forFloating(dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return map<T, Bool>([f](T x) { return Bool{static_cast<std::uint8_t>(f(x))}; });
  });
}

template <class T>
T sigmoid(T x) {
  return T{1} / (T{1} + std::exp(-x));
}
/// log(1 + exp(x)) without overflow.
template <class T>
T softplus(T x) {
  return larger(x, T{0}) + std::log1p(std::exp(-std::abs(x)));
}
template <class T>
T sign(T x) {
  if (isNan(x)) return x;
  if (x > T{0}) return T{1};
  return x < T{0} ? negative(T{1}) : T{0};
}
template <class T>
T hardSwish(T x) {
  return x * larger(T{0}, smaller(T{1}, x / T{6} + T{0.5}));
}
template <class T>
T gelu(T x) {
  return T{0.5} * x * (T{1} + std::erf(x * static_cast<T>(0.70710678118654752440)));
}
template <class T>
T geluTanh(T x) {
  const T inner = static_cast<T>(0.79788456080286535588) *  // sqrt(2 / pi)
                  (x + static_cast<T>(0.044715) * x * x * x);
  return T{0.5} * x * (T{1} + std::tanh(inner));
}

}  // namespace

Result<Kernel> prepare(const Unary& op, const KernelTypes& types) {
  const DType dtype = types.inputs[0].dtype;
  switch (op.kind) {
    case UnaryKind::relu:
      return mapNumber(dtype, [](auto x) { return larger(x, decltype(x){0}); });
    case UnaryKind::abs:
      return mapNumber(dtype, [](auto x) { return magnitude(x); });
    case UnaryKind::neg:
      return mapNumber(dtype, [](auto x) { return negative(x); });
    case UnaryKind::sign:
      return mapNumber(dtype, [](auto x) { return sign(x); });
    case UnaryKind::sigmoid:
      return mapFloating(dtype, [](auto x) { return sigmoid(x); });
    case UnaryKind::tanh:
      return mapFloating(dtype, [](auto x) { return std::tanh(x); });
    case UnaryKind::exp:
      return mapFloating(dtype, [](auto x) { return std::exp(x); });
    case UnaryKind::log:
      return mapFloating(dtype, [](auto x) { return std::log(x); });
    case UnaryKind::sqrt:
      return mapFloating(dtype, [](auto x) { return std::sqrt(x); });
    case UnaryKind::erf:
      return mapFloating(dtype, [](auto x) { return std::erf(x); });
    case UnaryKind::floor:
      return mapFloating(dtype, [](auto x) { return std::floor(x); });
    case UnaryKind::ceil:
      return mapFloating(dtype, [](auto x) { return std::ceil(x); });
    case UnaryKind::round:  // ties to even: the rounding mode every process starts in
      return mapFloating(dtype, [](auto x) { return std::nearbyint(x); });
    case UnaryKind::reciprocal:
      return mapFloating(dtype, [](auto x) { return decltype(x){1} / x; });
    case UnaryKind::softplus:
      return mapFloating(dtype, [](auto x) { return softplus(x); });
    case UnaryKind::softsign:
      return mapFloating(dtype, [](auto x) { return x / (decltype(x){1} + std::abs(x)); });
    case UnaryKind::mish:
      return mapFloating(dtype, [](auto x) { return x * std::tanh(softplus(x)); });
    case UnaryKind::silu:
      return mapFloating(dtype, [](auto x) { return x * sigmoid(x); });
    case UnaryKind::hard_swish:
      return mapFloating(dtype, [](auto x) { return hardSwish(x); });
    case UnaryKind::logical_not:
      return map<Bool, Bool>([](Bool x) { return Bool{static_cast<std::uint8_t>(x.byte == 0)}; });
    case UnaryKind::sin:
      return mapFloating(dtype, [](auto x) { return std::sin(x); });
    case UnaryKind::cos:
      return mapFloating(dtype, [](auto x) { return std::cos(x); });
    case UnaryKind::tan:
      return mapFloating(dtype, [](auto x) { return std::tan(x); });
    case UnaryKind::asin:
      return mapFloating(dtype, [](auto x) { return std::asin(x); });
    case UnaryKind::acos:
      return mapFloating(dtype, [](auto x) { return std::acos(x); });
    case UnaryKind::atan:
      return mapFloating(dtype, [](auto x) { return std::atan(x); });
    case UnaryKind::sinh:
      return mapFloating(dtype, [](auto x) { return std::sinh(x); });
    case UnaryKind::cosh:
      return mapFloating(dtype, [](auto x) { return std::cosh(x); });
    case UnaryKind::asinh:
      return mapFloating(dtype, [](auto x) { return std::asinh(x); });
    case UnaryKind::acosh:
      return mapFloating(dtype, [](auto x) { return std::acosh(x); });
    case UnaryKind::atanh:
      return mapFloating(dtype, [](auto x) { return std::atanh(x); });
    case UnaryKind::gelu:
      return mapFloating(dtype, [](auto x) { return gelu(x); });
    case UnaryKind::gelu_tanh:
      return mapFloating(dtype, [](auto x) { return geluTanh(x); });
    case UnaryKind::is_nan:
      return testFloating(dtype, [](auto x) { return std::isnan(x); });
    case UnaryKind::is_inf:
      return testFloating(dtype, [](auto x) { return std::isinf(x); });
  }
  return makeError("unknown function");
}

Result<Kernel> prepare(const LeakyRelu& op, const KernelTypes& types) {
  return mapFloating(types.inputs[0].dtype, [alpha = op.alpha](auto x) {
    return x < 0 ? static_cast<decltype(x)>(alpha) * x : x;
  });
}

Result<Kernel> prepare(const Elu& op, const KernelTypes& types) {
  return mapFloating(types.inputs[0].dtype, [alpha = op.alpha, gamma = op.gamma](auto x) {
    using T = decltype(x);
    const T y = x < 0 ? static_cast<T>(alpha) * std::expm1(x) : x;
    return static_cast<T>(gamma) * y;
  });
}

Result<Kernel> prepare(const Clip& op, const KernelTypes& types) {
  return mapNumber(types.inputs[0].dtype, [low = op.low, high = op.high](auto x) {
    using T = decltype(x);
    return smaller(larger(x, convert<T>(low)), convert<T>(high));
  });
}

Result<Kernel> prepare(const HardSigmoid& op, const KernelTypes& types) {
  return mapFloating(types.inputs[0].dtype, [alpha = op.alpha, beta = op.beta](auto x) {
    using T = decltype(x);
    return smaller(larger(static_cast<T>(alpha) * x + static_cast<T>(beta), T{0}), T{1});
  });
}

}  // namespace narrows::reference
