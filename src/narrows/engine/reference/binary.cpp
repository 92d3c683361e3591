#include <cmath>

#include "narrows/engine/reference/element.h"
#include "narrows/engine/reference/kernels.h"
#include "narrows/engine/reference/walk.h"

namespace narrows::reference {
namespace {

using Offsets = BroadcastWalk<2>::Offsets;

/// One row of a result: `length` elements from `to` on, the operands from `from` on by `steps`.
using RowFunction = void (*)(const KernelTensors& t, std::int64_t to, const Offsets& from,
                             const Offsets& steps, std::int64_t length);

template <class T>
T loaded(T value) {
  return value;
}
bool loaded(Bool value) {
  return value.byte != 0;
}

template <class R, class V>
R stored(V value) {
  if constexpr (std::is_same_v<R, Bool>) {
    return Bool{static_cast<std::uint8_t>(value)};
  } else {
    return value;
  }
}

template <class A, class B, class R, class F>
void combineRow(const KernelTensors& t, std::int64_t to, const Offsets& from, const Offsets& steps,
                std::int64_t length) {
  const A* a = elements<A>(t.inputs[0]) + from[0];
  const B* b = elements<B>(t.inputs[1]) + from[1];
  R* y = elements<R>(t.outputs[0]) + to;
  for (std::int64_t i = 0; i < length; ++i) {
    y[i] = stored<R>(F{}(loaded(a[i * steps[0]]), loaded(b[i * steps[1]])));
  }
}

Kernel alongRows(const BroadcastWalk<2>& walk, RowFunction row) {
  return [walk, row](const KernelTensors& t) -> Status {
    walk.forEachRow([&](std::int64_t to, const Offsets& from) {
      row(t, to, from, walk.rowSteps(), walk.rowLength());
    });
    return {};
  };
}

/// y = f(a, b), both broadcast, for a function without state. Only the row is compiled for each
/// function and its types: the walk around it, compiled 250 times, took a minute.
template <class A, class B, class R, class F>
Kernel combine(const KernelTypes& types, F) {
  const BroadcastWalk<2> walk(types.outputs[0].shape,
                              {types.inputs[0].shape, types.inputs[1].shape});
  return alongRows(walk, combineRow<A, B, R, F>);
}

template <class F>
Result<Kernel> arithmetic(const KernelTypes& types, F f) {
  return forNumber(types.inputs[0].dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return combine<T, T, T>(types, f);
  });
}

/// As `arithmetic`; an integer b that is 0 anywhere is an error of the run.
template <class F>
Result<Kernel> division(const KernelTypes& types, F f) {
  if (isFloating(types.inputs[0].dtype)) return arithmetic(types, f);
  return forInteger(types.inputs[0].dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return [kernel = combine<T, T, T>(types, f)](const KernelTensors& t) -> Status {
      const T* b = elements<T>(t.inputs[1]);
      for (std::int64_t i = 0; i < t.inputs[1].type().elements(); ++i) {
        if (b[i] == 0) return makeError("element {} of the divisor is 0", i);
      }
      return kernel(t);
    };
  });  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): the kernel owns what it has captured.
}

template <class F>
Result<Kernel> comparison(const KernelTypes& types, F f) {
  return forNumber(types.inputs[0].dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return combine<T, T, Bool>(types, f);
  });
}

template <class F>
Kernel logic(const KernelTypes& types, F f) {
  return combine<Bool, Bool, Bool>(types, f);
}

template <class T>
T quotient(T a, T b) {
  if constexpr (std::is_signed_v<T> && std::is_integral_v<T>) {
    if (b == T{-1}) return negative(a);  // the lowest value would overflow
  }
  return static_cast<T>(a / b);
}

/// With the sign of a.
template <class T>
T remainder(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::fmod(a, b);
  } else {
    if constexpr (std::is_signed_v<T>) {
      if (b == T{-1}) return T{0};
    }
    return static_cast<T>(a % b);
  }
}

/// With the sign of b.
template <class T>
T modulo(T a, T b) {
  const T r = remainder(a, b);
  return r != T{0} && (r < T{0}) != (b < T{0}) ? sum(r, b) : r;
}

/// Integers to a whole power wrap; everything else goes through double.
template <class T>
T power(T base, double exponent) {
  if constexpr (std::is_integral_v<T>) {
    if (exponent >= 0 && exponent < 0x1p63 && exponent == std::floor(exponent)) {
      T result{1};
      for (auto bits = static_cast<std::uint64_t>(exponent); bits > 0; bits >>= 1) {
        if (bits & 1) result = product(result, base);
        base = product(base, base);
      }
      return result;
    }
  }
  return convert<T>(std::pow(static_cast<double>(base), exponent));
}

Result<Kernel> powers(const KernelTypes& types) {
  return forNumber(types.inputs[0].dtype, [&](auto base) -> Kernel {
    using T = TypeOf<decltype(base)>;
    Result<Kernel> kernel = forNumber(types.inputs[1].dtype, [&](auto exponent) -> Kernel {
      using E = TypeOf<decltype(exponent)>;
      return combine<T, E, T>(types, [](T a, E b) { return power(a, static_cast<double>(b)); });
    });
    return kernel.ok() ? std::move(*kernel) : Kernel();
  });
}

}  // namespace

Result<Kernel> prepare(const Binary& op, const KernelTypes& types) {
  switch (op.kind) {
    case BinaryKind::add:
      return arithmetic(types, [](auto a, auto b) { return sum(a, b); });
    case BinaryKind::sub:
      return arithmetic(types, [](auto a, auto b) { return difference(a, b); });
    case BinaryKind::mul:
      return arithmetic(types, [](auto a, auto b) { return product(a, b); });
    case BinaryKind::min:
      return arithmetic(types, [](auto a, auto b) { return smaller(a, b); });
    case BinaryKind::max:
      return arithmetic(types, [](auto a, auto b) { return larger(a, b); });
    case BinaryKind::div:
      return division(types, [](auto a, auto b) { return quotient(a, b); });
    case BinaryKind::mod:
      return division(types, [](auto a, auto b) { return modulo(a, b); });
    case BinaryKind::fmod:
      return division(types, [](auto a, auto b) { return remainder(a, b); });
    case BinaryKind::pow: {
      NARROWS_TRY(kernel, powers(types));
      if (!kernel) return unsupported(types.inputs[1].dtype);
      return std::move(kernel);
    }
    case BinaryKind::equal:
      if (types.inputs[0].dtype == DType::boolean) {
        return logic(types, [](bool a, bool b) { return a == b; });
      }
      return comparison(types, [](auto a, auto b) { return a == b; });
    case BinaryKind::less:
      return comparison(types, [](auto a, auto b) { return a < b; });
    case BinaryKind::less_equal:
      return comparison(types, [](auto a, auto b) { return a <= b; });
    case BinaryKind::greater:
      return comparison(types, [](auto a, auto b) { return a > b; });
    case BinaryKind::greater_equal:
      return comparison(types, [](auto a, auto b) { return a >= b; });
    case BinaryKind::logical_and:
      return logic(types, [](bool a, bool b) { return a && b; });
    case BinaryKind::logical_or:
      return logic(types, [](bool a, bool b) { return a || b; });
    case BinaryKind::logical_xor:
      return logic(types, [](bool a, bool b) { return a != b; });
  }
  return makeError("unknown function");
}

Result<Kernel> prepare(const PRelu&, const KernelTypes& types) {
  return forNumber(types.inputs[0].dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return combine<T, T, T>(types, [](T x, T slope) { return x < T{0} ? product(slope, x) : x; });
  });
}

}  // namespace narrows::reference
