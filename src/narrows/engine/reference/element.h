#pragma once

#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "narrows/engine/reference/kernel.h"
#include "narrows/tensor/half.h"

/// Element types and their arithmetic, defined for every value: integers wrap, conversions
/// saturate.
namespace narrows::reference {

/// An IEEE 754 binary16 number as it is stored.
struct Half {
  std::uint16_t bits = 0;
};

/// A boolean as it is stored: any byte but 0 is true.
struct Bool {
  std::uint8_t byte = 0;
};

template <class T>
struct Tag {
  using Type = T;
};
template <class T>
using TypeOf = typename T::Type;

inline Error unsupported(DType dtype) {
  return makeError("no reference kernel for {}", toString(dtype));
}

/// `make(Tag<T>)` for the floating type of the dtype; an error for another dtype.
template <class Make>
Result<Kernel> forFloating(DType dtype, Make&& make) {
  if (dtype == DType::f32) return make(Tag<float>());
  if (dtype == DType::f64) return make(Tag<double>());
  return unsupported(dtype);
}

/// `make(Tag<T>)` for an integer dtype.
template <class Make>
Result<Kernel> forInteger(DType dtype, Make&& make) {
  switch (dtype) {
    case DType::i8:
      return make(Tag<std::int8_t>());
    case DType::u8:
      return make(Tag<std::uint8_t>());
    case DType::i16:
      return make(Tag<std::int16_t>());
    case DType::u16:
      return make(Tag<std::uint16_t>());
    case DType::i32:
      return make(Tag<std::int32_t>());
    case DType::u32:
      return make(Tag<std::uint32_t>());
    case DType::i64:
      return make(Tag<std::int64_t>());
    case DType::u64:
      return make(Tag<std::uint64_t>());
    default:
      return unsupported(dtype);
  }
}

/// `make(Tag<T>)` for a floating or integer dtype.
template <class Make>
Result<Kernel> forNumber(DType dtype, Make&& make) {
  if (dtype == DType::f32 || dtype == DType::f64) return forFloating(dtype, make);
  return forInteger(dtype, make);
}

template <class T>
const T* elements(const TensorView& tensor) {
  return reinterpret_cast<const T*>(tensor.bytes().data());
}
template <class T>
T* elements(const MutableTensorView& tensor) {
  return reinterpret_cast<T*>(tensor.bytes().data());
}

/// Unsigned type in which an integer's sums and products are defined; a floating type itself.
template <class T>
using Wrapping = typename std::conditional_t<
    std::is_floating_point_v<T>, std::type_identity<T>,
    std::common_type<unsigned, std::conditional_t<sizeof(T) == 8, std::uint64_t, unsigned>>>::type;

template <class T>
T sum(T a, T b) {
  return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
}
template <class T>
T difference(T a, T b) {
  return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
}
template <class T>
T product(T a, T b) {
  return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
}
template <class T>
T negative(T a) {
  if constexpr (std::is_floating_point_v<T>) {
    return -a;
  } else {
    return difference(T{0}, a);
  }
}
template <class T>
T magnitude(T a) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::abs(a);
  } else {
    return a < T{0} ? negative(a) : a;
  }
}
template <class T>
bool isNan(T x) {
  return x != x;  // NOLINT(misc-redundant-expression): nothing else differs from itself.
}
/// Not a number wins, as in NumPy.
template <class T>
T larger(T a, T b) {
  return a > b || isNan(a) ? a : b;
}
template <class T>
T smaller(T a, T b) {
  return a < b || isNan(a) ? a : b;
}

/// Nothing is below this value.
template <class T>
constexpr T lowest() {
  if constexpr (std::is_floating_point_v<T>) return -std::numeric_limits<T>::infinity();
  return std::numeric_limits<T>::lowest();
}
template <class T>
constexpr T highest() {
  if constexpr (std::is_floating_point_v<T>) return std::numeric_limits<T>::infinity();
  return std::numeric_limits<T>::max();
}

/// Floats become integers towards zero, clamped, not a number becomes 0; integers wrap; anything
/// but 0 becomes true.
template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<From, Half>) {
    return convert<To>(halfToFloat(value.bits));
  } else if constexpr (std::is_same_v<From, Bool>) {
    return convert<To>(static_cast<std::uint8_t>(value.byte != 0));
  } else if constexpr (std::is_same_v<To, Half>) {
    return Half{floatToHalf(static_cast<float>(value))};
  } else if constexpr (std::is_same_v<To, Bool>) {
    return Bool{static_cast<std::uint8_t>(value != From{0})};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    // 2^digits is exact in binary and the first value above the range.
    const From limit = std::ldexp(From{1}, std::numeric_limits<To>::digits);
    if (isNan(value)) return To{0};
    if (value >= limit) return std::numeric_limits<To>::max();
    if (value <= (std::is_signed_v<To> ? -limit : From{0})) return std::numeric_limits<To>::min();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace narrows::reference
