#include "narrows/codec/coarse.h"

#include <array>
#include <cstddef>

#include "narrows/base/assert.h"

namespace narrows {
namespace {

/// round(s (2^to - 1) / (2^from - 1)) for every symbol s; entries that are no symbols stay 0.
std::array<std::uint8_t, 256> scaleTable(int from, int to) {
  NARROWS_ASSERT(from >= 1 && from <= 8 && to >= 1 && to <= 8);
  const unsigned source = (1U << from) - 1;
  const unsigned target = (1U << to) - 1;
  std::array<std::uint8_t, 256> table{};
  for (unsigned s = 0; s <= source; ++s) {
    table[s] = static_cast<std::uint8_t>((2 * s * target + source) / (2 * source));
  }
  return table;
}

}  // namespace

void coarsenSymbols(std::span<const std::uint8_t> symbols, int bits, int kept,
                    std::span<std::uint8_t> coarse) {
  NARROWS_ASSERT(symbols.size() == coarse.size() && kept < bits);
  const auto table = scaleTable(bits, kept);
  for (std::size_t i = 0; i < symbols.size(); ++i) coarse[i] = table[symbols[i]];
}

void refineSymbols(std::span<std::uint8_t> symbols, int kept, int bits) {
  NARROWS_ASSERT(kept < bits);
  const auto table = scaleTable(kept, bits);
  for (std::uint8_t& symbol : symbols) symbol = table[symbol];
}

}  // namespace narrows
