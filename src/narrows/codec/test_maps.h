#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "narrows/base/assert.h"
#include "narrows/codec/context_tables.h"
#include "narrows/codec/lossless.h"
#include "narrows/tensor/tensor.h"

/// Inputs that the codec's tests share.
namespace narrows::test {

/// Whether addresses are checked, which takes many times as long: comparisons of sizes keep to few
/// widths then.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

/// Seed of a property test: $NARROWS_SEED, or a fixed one. A failure prints it through
/// SCOPED_TRACE.
inline std::uint32_t propertySeed() {
  const char* text = std::getenv("NARROWS_SEED");
  return text != nullptr ? static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10)) : 20230717U;
}
inline std::string seedTrace(std::uint32_t seed) {
  return "NARROWS_SEED=" + std::to_string(seed);
}

/// What a map of symbols looks like.
enum class MapKind { random, constant, sparse, smooth, alternating };
inline constexpr MapKind kMapKinds[] = {MapKind::random, MapKind::constant, MapKind::sparse,
                                        MapKind::smooth, MapKind::alternating};

inline std::vector<std::uint8_t> symbolMap(const SymbolLayout& layout, MapKind kind,
                                           std::mt19937& random) {
  const unsigned top = (1U << layout.bits) - 1;
  std::vector<std::uint8_t> symbols(layout.symbols());
  const auto constant = static_cast<std::uint8_t>(random() & top);
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    const bool has_left = layout.width > 0 && i % layout.width != 0;
    switch (kind) {
      case MapKind::random:
        symbols[i] = static_cast<std::uint8_t>(random() & top);
        break;
      case MapKind::constant:
        symbols[i] = constant;
        break;
      case MapKind::sparse:
        symbols[i] = random() % 16 == 0 ? static_cast<std::uint8_t>(random() & top) : 0;
        break;
      case MapKind::smooth:
        symbols[i] = has_left && random() % 4 != 0 ? symbols[i - 1]
                     : i >= layout.width           ? symbols[i - layout.width]
                                                   : static_cast<std::uint8_t>(random() & top);
        if (random() % 32 == 0) symbols[i] = static_cast<std::uint8_t>(random() & top);
        break;
      case MapKind::alternating:
        symbols[i] = static_cast<std::uint8_t>(i % 2 == 0 ? 0 : top);
        break;
    }
  }
  return symbols;
}

/// Normal values with a share of exact zeros, as after a ReLU.
inline Tensor featureMap(const Shape& shape, std::mt19937& random, double zeros = 0.5) {
  Tensor map(DType::f32, shape);
  std::normal_distribution<float> normal(0.3F, 1.0F);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (float& value : map.mutableAs<float>()) {
    value = uniform(random) < zeros ? 0.0F : std::max(0.0F, normal(random));
  }
  return map;
}

/// A limit that no code of a test reaches, bytes.
inline constexpr std::size_t kNoLimit = std::size_t{1} << 30;

/// Tables fitted to `maps` maps of this kind.
inline ContextTables fittedTables(const SymbolLayout& layout, MapKind kind, int maps,
                                  std::mt19937& random) {
  ContextTrainer trainer(layout);
  for (int i = 0; i < maps; ++i) trainer.observe(symbolMap(layout, kind, random));
  return trainer.fit();
}

/// The code of a map that the coder takes without a limit.
inline ByteVector codeOf(LosslessCoder& coder, const std::vector<std::uint8_t>& symbols) {
  ByteVector code;
  const auto fits = coder.encode(symbols, kNoLimit, code);
  NARROWS_ASSERT(fits.ok() && *fits);
  return code;
}

/// CRC-32 by its definition: polynomial division bit by bit.
inline std::uint32_t plainCrc(ByteSpan bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320U : 0);
  }
  return ~crc;
}

}  // namespace narrows::test
