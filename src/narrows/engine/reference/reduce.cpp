#include <algorithm>
#include <cmath>

#include "narrows/engine/reference/element.h"
#include "narrows/engine/reference/kernels.h"
#include "narrows/engine/reference/walk.h"

namespace narrows::reference {
namespace {

/// Sums of floats are kept in double, those of integers wrap.
template <class T>
using Accumulator =
    std::conditional_t<std::is_floating_point_v<T>, double,
                       std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>>;

/// Folds with `step(state, element)` from `initial`.
template <class T, class State, class Step>
State fold(const AxisWalk& walk, const T* x, State initial, Step&& step) {
  State state = initial;
  walk.forEach([&](std::int64_t offset) { state = step(state, x[offset]); });
  return state;
}

template <class T>
double logSumExp(const AxisWalk& walk, const T* x) {
  const double peak = fold(walk, x, lowest<double>(),
                           [](double a, T b) { return larger(a, static_cast<double>(b)); });
  if (std::isinf(peak)) return peak;  // also of nothing, whose sum is 0
  const double total = fold(
      walk, x, 0.0, [peak](double a, T b) { return a + std::exp(static_cast<double>(b) - peak); });
  return peak + std::log(total);
}

/// The value of `kind` over the elements of `walk` from `x` on.
template <class T>
T reduceOne(ReduceKind kind, const AxisWalk& walk, const T* x) {
  using A = Accumulator<T>;
  const auto total = [&](auto term) {
    return fold(walk, x, A{0}, [term](A a, T b) { return sum(a, term(static_cast<A>(b))); });
  };
  const auto squares = [&] { return total([](A v) { return product(v, v); }); };
  switch (kind) {
    case ReduceKind::max:
      return fold(walk, x, lowest<T>(), [](T a, T b) { return larger(a, b); });
    case ReduceKind::min:
      return fold(walk, x, highest<T>(), [](T a, T b) { return smaller(a, b); });
    case ReduceKind::sum:
      return static_cast<T>(total([](A v) { return v; }));
    case ReduceKind::prod:
      return static_cast<T>(
          fold(walk, x, A{1}, [](A a, T b) { return product(a, static_cast<A>(b)); }));
    case ReduceKind::l1:
      return static_cast<T>(total([](A v) { return magnitude(v); }));
    case ReduceKind::sum_square:
      return static_cast<T>(squares());
    case ReduceKind::l2:
      return convert<T>(std::sqrt(static_cast<double>(squares())));
    case ReduceKind::log_sum:
      return convert<T>(std::log(static_cast<double>(total([](A v) { return v; }))));
    case ReduceKind::log_sum_exp:
      return convert<T>(logSumExp(walk, x));
    case ReduceKind::mean: {
      const auto count = static_cast<A>(walk.count());
      if (std::is_integral_v<T> && count == A{0}) return T{0};
      return static_cast<T>(total([](A v) { return v; }) / count);
    }
  }
  return T{0};
}

struct ReducePlan {
  ReduceKind kind;
  AxisWalk kept, folded;
};

template <class T>
Kernel reduction(const ReducePlan& plan) {
  return [plan](const KernelTensors& t) -> Status {
    const T* x = elements<T>(t.inputs[0]);
    T* y = elements<T>(t.outputs[0]);
    plan.kept.forEach(
        [&](std::int64_t offset) { *y++ = reduceOne(plan.kind, plan.folded, x + offset); });
    return {};
  };
}

template <class T>
std::int64_t argReduceOne(const ArgReduce& op, const T* x, std::int64_t count, std::int64_t step) {
  std::int64_t best = 0;
  for (std::int64_t i = 1; i < count; ++i) {
    const T candidate = x[i * step];
    const T champion = x[best * step];
    const bool wins = op.largest ? candidate > champion : candidate < champion;
    if (wins || (op.last && candidate == champion)) best = i;
  }
  return best;
}

}  // namespace

Result<Kernel> prepare(const Reduce& op, const KernelTypes& types) {
  const Shape& x = types.inputs[0].shape;
  ReducePlan plan{op.kind, {}, {}};
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    const bool folded =
        std::find(op.axes.begin(), op.axes.end(), static_cast<std::int64_t>(axis)) != op.axes.end();
    (folded ? plan.folded : plan.kept).append(x[axis], x.strides()[axis]);
  }
  if (types.inputs[0].dtype == DType::boolean &&
      (op.kind == ReduceKind::max || op.kind == ReduceKind::min)) {
    // Any and all. Of nothing they are no and yes.
    return Kernel([plan](const KernelTensors& t) -> Status {
      const Bool* x_data = elements<Bool>(t.inputs[0]);
      Bool* y = elements<Bool>(t.outputs[0]);
      const bool any = plan.kind == ReduceKind::max;
      plan.kept.forEach([&](std::int64_t offset) {
        const bool hit = fold(plan.folded, x_data + offset, !any, [any](bool a, Bool b) {
          return any ? a || b.byte != 0 : a && b.byte != 0;
        });
        *y++ = Bool{static_cast<std::uint8_t>(hit)};
      });
      return {};
    });
  }
  return forNumber(types.inputs[0].dtype,
                   [&](auto tag) -> Kernel { return reduction<TypeOf<decltype(tag)>>(plan); });
}

Result<Kernel> prepare(const ArgReduce& op, const KernelTypes& types) {
  const Shape& x = types.inputs[0].shape;
  const auto axis = static_cast<std::size_t>(op.axis);
  AxisWalk kept;
  for (std::size_t i = 0; i < x.rank(); ++i) {
    if (i != axis) kept.append(x[i], x.strides()[i]);
  }
  return forNumber(types.inputs[0].dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return [op, kept, count = x[axis], step = x.strides()[axis]](const KernelTensors& t) -> Status {
      const T* from = elements<T>(t.inputs[0]);
      auto* y = elements<std::int64_t>(t.outputs[0]);
      kept.forEach(
          [&](std::int64_t offset) { *y++ = argReduceOne(op, from + offset, count, step); });
      return {};
    };
  });
}

}  // namespace narrows::reference
