#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace narrows {

/// What the convolutions and products of a network multiply; see EngineOptions.
enum class Precision : std::uint8_t { f32, bf16, int8 };

constexpr std::array<std::string_view, 3> kPrecisionNames{"f32", "bf16", "int8"};

constexpr std::string_view toString(Precision precision) {
  return kPrecisionNames[static_cast<std::size_t>(precision)];
}
constexpr std::optional<Precision> parsePrecision(std::string_view name) {
  for (std::size_t i = 0; i < kPrecisionNames.size(); ++i) {
    if (kPrecisionNames[i] == name) return static_cast<Precision>(i);
  }
  return std::nullopt;
}

}  // namespace narrows
