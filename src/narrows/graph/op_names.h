#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "narrows/graph/ops.h"

/// Names of the enumerators of operators' attributes, in the order of their declaration; the text
/// form writes and reads them.
namespace narrows {

template <class Enum>
struct EnumNames;

template <>
struct EnumNames<UnaryKind> {
  static constexpr std::array<std::string_view, 20> kNames{
      "relu",     "sigmoid",  "tanh",  "exp",  "log",        "sqrt",       "abs",
      "neg",      "erf",      "floor", "ceil", "round",      "reciprocal", "sign",
      "softplus", "softsign", "mish",  "silu", "hard_swish", "logical_not"};
};
template <>
struct EnumNames<BinaryKind> {
  static constexpr std::array<std::string_view, 15> kNames{
      "add",     "sub",           "mul",         "div",        "pow",
      "min",     "max",           "equal",       "less",       "less_equal",
      "greater", "greater_equal", "logical_and", "logical_or", "logical_xor"};
};
template <>
struct EnumNames<ReduceKind> {
  static constexpr std::array<std::string_view, 10> kNames{
      "mean", "sum", "max", "min", "prod", "l1", "l2", "sum_square", "log_sum", "log_sum_exp"};
};
template <>
struct EnumNames<PadMode> {
  static constexpr std::array<std::string_view, 3> kNames{"constant", "reflect", "edge"};
};
template <>
struct EnumNames<GlobalPoolKind> {
  static constexpr std::array<std::string_view, 2> kNames{"average", "max"};
};
template <>
struct EnumNames<ResizeMode> {
  static constexpr std::array<std::string_view, 3> kNames{"nearest", "linear", "cubic"};
};
template <>
struct EnumNames<ResizeCoordinates> {
  static constexpr std::array<std::string_view, 5> kNames{
      "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"};
};
template <>
struct EnumNames<ResizeRounding> {
  static constexpr std::array<std::string_view, 4> kNames{"round_prefer_floor", "round_prefer_ceil",
                                                          "floor", "ceil"};
};
template <>
struct EnumNames<BlockOrder> {
  static constexpr std::array<std::string_view, 2> kNames{"depth_column_row", "column_row_depth"};
};

template <class Enum>
constexpr std::string_view enumName(Enum value) {
  return EnumNames<Enum>::kNames[static_cast<std::size_t>(value)];
}

template <class Enum>
std::optional<Enum> parseEnum(std::string_view name) {
  const auto& names = EnumNames<Enum>::kNames;
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

}  // namespace narrows
