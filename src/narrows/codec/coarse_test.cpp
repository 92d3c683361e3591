#include "narrows/codec/coarse.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

namespace narrows {
namespace {

std::vector<std::uint8_t> allSymbols(int bits) {
  std::vector<std::uint8_t> symbols(std::size_t{1} << bits);
  std::iota(symbols.begin(), symbols.end(), std::uint8_t{0});
  return symbols;
}

TEST(CoarseSymbols, AreTheNearestOfEvenlySpreadLevels) {
  for (int bits = 2; bits <= 8; ++bits) {
    for (int kept = 1; kept < bits; ++kept) {
      SCOPED_TRACE(testing::Message() << bits << " to " << kept);
      const auto symbols = allSymbols(bits);
      std::vector<std::uint8_t> coarse(symbols.size());
      coarsenSymbols(symbols, bits, kept, coarse);
      const double top = std::exp2(bits) - 1;
      const double coarse_top = std::exp2(kept) - 1;
      for (std::size_t s = 0; s < symbols.size(); ++s) {
        ASSERT_LE(coarse[s], coarse_top);
        const double error = std::abs(coarse[s] / coarse_top - static_cast<double>(s) / top);
        EXPECT_LE(error, 0.5 / coarse_top + 1e-12) << s;
      }
      auto refined = coarse;
      refineSymbols(refined, kept, bits);
      for (std::size_t s = 0; s < symbols.size(); ++s) {
        EXPECT_LE(std::abs(refined[s] - coarse[s] * top / coarse_top), 0.5);
      }
      EXPECT_EQ(refined.front(), 0);
      EXPECT_EQ(refined.back(), symbols.back());
    }
  }
}

TEST(CoarseSymbols, StayWhatTheyAreWhenCoarsenedAgain) {
  for (int bits = 2; bits <= 8; ++bits) {
    for (int kept = 1; kept < bits; ++kept) {
      const auto coarse = allSymbols(kept);
      auto refined = coarse;
      refineSymbols(refined, kept, bits);
      std::vector<std::uint8_t> again(coarse.size());
      coarsenSymbols(refined, bits, kept, again);
      EXPECT_EQ(again, coarse) << bits << " to " << kept;
    }
  }
}

}  // namespace
}  // namespace narrows
