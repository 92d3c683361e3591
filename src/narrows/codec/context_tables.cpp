#include "narrows/codec/context_tables.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace narrows {

ContextTables::Row frequencyRow(std::span<const double, kUnitSymbols> weights, std::size_t count) {
  const double sum =
      std::accumulate(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(count), 0.0);
  std::array<std::uint32_t, kUnitSymbols> frequencies{};
  std::uint32_t used = 0;
  for (std::size_t u = 0; u < count; ++u) {
    const double share = sum > 0 ? weights[u] / sum : 1.0 / static_cast<double>(count);
    frequencies[u] =
        std::max<std::uint32_t>(1, static_cast<std::uint32_t>(std::lround(share * kContextTotal)));
    used += frequencies[u];
  }
  // The largest takes the difference: it loses the least by it.
  while (used != kContextTotal) {
    const auto largest = std::max_element(frequencies.begin(), frequencies.end());
    if (used < kContextTotal) {
      *largest += kContextTotal - used;
      used = kContextTotal;
    } else {
      const std::uint32_t taken = std::min(used - kContextTotal, *largest / 2);
      *largest -= taken;
      used -= taken;
    }
  }
  ContextTables::Row row{};
  std::uint32_t end = 0;
  for (std::size_t u = 0; u < kUnitSymbols; ++u) {
    end += frequencies[u];
    row[u] = static_cast<std::uint16_t>(end);
  }
  return row;
}

}  // namespace narrows
