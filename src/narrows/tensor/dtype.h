#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace narrows {

/// Element type of a tensor. f16 is storage only: kernels convert it.
enum class DType : std::uint8_t { f32, f64, f16, i8, u8, i16, u16, i32, u32, i64, u64, boolean };

std::size_t byteSize(DType dtype);
std::string_view toString(DType dtype);
std::optional<DType> parseDType(std::string_view name);
bool isFloating(DType dtype);

template <class T>
constexpr DType dtypeOf() = delete;
template <>
constexpr DType dtypeOf<float>() {
  return DType::f32;
}
template <>
constexpr DType dtypeOf<double>() {
  return DType::f64;
}
template <>
constexpr DType dtypeOf<std::int8_t>() {
  return DType::i8;
}
template <>
constexpr DType dtypeOf<std::uint8_t>() {
  return DType::u8;
}
template <>
constexpr DType dtypeOf<std::int16_t>() {
  return DType::i16;
}
template <>
constexpr DType dtypeOf<std::uint16_t>() {
  return DType::u16;
}
template <>
constexpr DType dtypeOf<std::int32_t>() {
  return DType::i32;
}
template <>
constexpr DType dtypeOf<std::uint32_t>() {
  return DType::u32;
}
template <>
constexpr DType dtypeOf<std::int64_t>() {
  return DType::i64;
}
template <>
constexpr DType dtypeOf<std::uint64_t>() {
  return DType::u64;
}
template <>
constexpr DType dtypeOf<bool>() {
  return DType::boolean;
}

}  // namespace narrows
