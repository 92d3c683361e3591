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
  static constexpr std::array<std::string_view, 35> kNames{
      "relu",     "sigmoid",  "tanh",  "exp",  "log",        "sqrt",        "abs",
      "neg",      "erf",      "floor", "ceil", "round",      "reciprocal",  "sign",
      "softplus", "softsign", "mish",  "silu", "hard_swish", "logical_not", "sin",
      "cos",      "tan",      "asin",  "acos", "atan",       "sinh",        "cosh",
      "asinh",    "acosh",    "atanh", "gelu", "gelu_tanh",  "is_nan",      "is_inf"};
  static constexpr UnaryKind kLast = UnaryKind::is_inf;
};
template <>
struct EnumNames<BinaryKind> {
  static constexpr std::array<std::string_view, 17> kNames{
      "add",     "sub",           "mul",         "div",        "pow",        "min",
      "max",     "mod",           "fmod",        "equal",      "less",       "less_equal",
      "greater", "greater_equal", "logical_and", "logical_or", "logical_xor"};
  static constexpr BinaryKind kLast = BinaryKind::logical_xor;
};
template <>
struct EnumNames<ReduceKind> {
  static constexpr std::array<std::string_view, 10> kNames{
      "mean", "sum", "max", "min", "prod", "l1", "l2", "sum_square", "log_sum", "log_sum_exp"};
  static constexpr ReduceKind kLast = ReduceKind::log_sum_exp;
};
template <>
struct EnumNames<PadMode> {
  static constexpr std::array<std::string_view, 3> kNames{"constant", "reflect", "edge"};
  static constexpr PadMode kLast = PadMode::edge;
};
template <>
struct EnumNames<GlobalPoolKind> {
  static constexpr std::array<std::string_view, 2> kNames{"average", "max"};
  static constexpr GlobalPoolKind kLast = GlobalPoolKind::max;
};
template <>
struct EnumNames<ResizeMode> {
  static constexpr std::array<std::string_view, 3> kNames{"nearest", "linear", "cubic"};
  static constexpr ResizeMode kLast = ResizeMode::cubic;
};
template <>
struct EnumNames<ResizeCoordinates> {
  static constexpr std::array<std::string_view, 5> kNames{
      "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"};
  static constexpr ResizeCoordinates kLast = ResizeCoordinates::half_pixel_symmetric;
};
template <>
struct EnumNames<ResizeRounding> {
  static constexpr std::array<std::string_view, 4> kNames{"round_prefer_floor", "round_prefer_ceil",
                                                          "floor", "ceil"};
  static constexpr ResizeRounding kLast = ResizeRounding::ceil;
};
template <>
struct EnumNames<BlockOrder> {
  static constexpr std::array<std::string_view, 2> kNames{"depth_column_row", "column_row_depth"};
  static constexpr BlockOrder kLast = BlockOrder::column_row_depth;
};

template <>
struct EnumNames<ScatterReduction> {
  static constexpr std::array<std::string_view, 5> kNames{"none", "add", "mul", "min", "max"};
  static constexpr ScatterReduction kLast = ScatterReduction::max;
};

template <class Enum>
constexpr std::string_view enumName(Enum value) {
  static_assert(EnumNames<Enum>::kNames.size() ==
                static_cast<std::size_t>(EnumNames<Enum>::kLast) + 1);
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
