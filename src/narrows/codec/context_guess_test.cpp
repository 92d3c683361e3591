#include "narrows/codec/context_guess.h"

#include <gtest/gtest.h>

#include <random>

#include "narrows/codec/test_maps.h"

namespace narrows {
namespace {

using Values = std::vector<std::uint8_t>;

/// The level of one place as the format's page words it.
int plainLevel(const ContextPlane& plane, const std::vector<Values>& values, int width, int at) {
  int sum = 0;
  for (const GuessTerm& term : plane.terms) {
    const Values& seen = values[term.plane];
    const auto value = [&](int index) {
      return index < 0 || index >= static_cast<int>(seen.size())
                 ? 0
                 : static_cast<int>(seen[static_cast<std::size_t>(index)]);
    };
    sum += term.here * value(at) + term.ahead * (value(at + 1) + value(at + width)) +
           term.behind * (value(at - 1) + value(at - width));
  }
  int level = 0;
  for (const std::int16_t threshold : plane.thresholds) level += sum > threshold ? 1 : 0;
  return level;
}

/// Weights whose sums fit in 16 bits, and thresholds among the sums.
ContextPlane randomPlane(std::size_t index, int top, std::mt19937& random) {
  ContextPlane plane;
  const int most = std::min(127, 32767 / top / 5 / static_cast<int>(ContextPlane::kMaxTerms));
  const auto weight = [&] {
    return static_cast<std::int8_t>(static_cast<int>(random() % (2U * unsigned(most) + 1)) - most);
  };
  const std::size_t terms = 1 + random() % ContextPlane::kMaxTerms;
  for (std::size_t t = 0; t < terms; ++t) {
    plane.terms.push_back(
        {static_cast<std::uint32_t>(random() % index), weight(), weight(), weight()});
  }
  for (int i = 0; i < top; ++i) {
    plane.thresholds.push_back(static_cast<std::int16_t>(static_cast<int>(random() % 2001) - 1000));
  }
  std::sort(plane.thresholds.begin(), plane.thresholds.end());
  return plane;
}

TEST(ContextGuesser, SeesWhatThePageSaysOnEveryPath) {
  const std::uint32_t seed = test::propertySeed();
  SCOPED_TRACE(test::seedTrace(seed));
  std::mt19937 random(seed);
  for (const auto& [height, width] : {std::pair<std::size_t, std::size_t>{1, 5},
                                      {7, 1},
                                      {1, 2},
                                      {3, 4},
                                      {9, 11},
                                      {8, 64},
                                      {13, 33}}) {
    for (int bits = 1; bits <= 8; ++bits) {
      SCOPED_TRACE(testing::Message() << height << 'x' << width << ", " << bits << " bits");
      const SymbolLayout layout{6, height, width, bits};
      const ContextGrid grid(layout);
      const int top = (1 << std::min(bits, 4)) - 1;
      std::vector<ContextPlane> planes(layout.planes);
      for (std::size_t p = 2; p < layout.planes; ++p) planes[p] = randomPlane(p, top, random);
      std::vector<Values> values(layout.planes, Values(height * width, 0));
      for (std::size_t p = 1; p < layout.planes; ++p) {
        for (std::uint8_t& value : values[p]) {
          value = static_cast<std::uint8_t>(random() % (unsigned(top) + 1));
        }
      }
      for (const context::Loops& loops : {context::scalarLoops(), context::avx2Loops(),
                                          context::avx512Loops(), context::neonLoops()}) {
        ContextGuesser guesser(grid, planes, loops);
        guesser.reserveSlots(1);
        guesser.note(0, nullptr);
        for (std::size_t p = 1; p < layout.planes; ++p) guesser.note(p, values[p].data());
        EXPECT_EQ(guesser.guess(1, 0), nullptr);
        for (std::size_t p = 2; p < layout.planes; ++p) {
          Values levels(height * width);
          for (std::size_t i = 0; i < levels.size(); ++i) {
            levels[i] = static_cast<std::uint8_t>(
                plainLevel(planes[p], values, static_cast<int>(width), static_cast<int>(i)));
          }
          Values expected(grid.unitsPerPlane());
          grid.splitHigh(levels.data(), expected.data());
          const std::uint8_t* guess = guesser.guess(p, 0);
          EXPECT_EQ(Values(guess, guess + expected.size()), expected);
        }
      }
    }
  }
}

}  // namespace
}  // namespace narrows
