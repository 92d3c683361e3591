#include "narrows/codec/quantizer.h"

#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <cmath>
#include <limits>

#include "narrows/codec/test_maps.h"

namespace narrows {
namespace {

QuantizerParams uniformParams(int bits, std::vector<float> low, std::vector<float> step) {
  QuantizerParams params;
  params.kind = QuantizerKind::uniform;
  params.bits = bits;
  params.granularity = low.size() == 1 ? Granularity::tensor : Granularity::channel;
  params.low = std::move(low);
  params.step = std::move(step);
  return params;
}

QuantizerParams twoLevelParams(float mean, float range) {
  QuantizerParams params = uniformParams(1, {mean - range}, {range});
  params.kind = QuantizerKind::two_level;
  return params;
}

std::vector<std::uint8_t> quantized(const Tensor& map, const QuantizerParams& params) {
  std::vector<std::uint8_t> symbols(static_cast<std::size_t>(map.type().elements()));
  quantize(map, params, symbols);
  return symbols;
}

Tensor dequantized(const std::vector<std::uint8_t>& symbols, const QuantizerParams& params,
                   const Shape& shape) {
  Tensor map(DType::f32, shape);
  dequantize(symbols, params, map.mutableView());
  return map;
}

/// The formula of QuantizerKind::uniform in double precision, before rounding to a symbol.
double plainPosition(float x, float low, float step) {
  return (static_cast<double>(x) - low) / step + 0.5;
}

TEST(UniformQuantizer, FollowsTheFormulaForEveryWidthAndGranularity) {
  const std::uint32_t seed = test::propertySeed();
  SCOPED_TRACE(test::seedTrace(seed));
  std::mt19937 random(seed);
  const Shape shape{2, 3, 5, 7};
  std::uniform_real_distribution<float> value(-3, 3);
  for (int bits = 1; bits <= 8; ++bits) {
    for (const bool by_channel : {false, true}) {
      std::vector<float> low, step;
      for (int i = 0; i < (by_channel ? 3 : 1); ++i) {
        low.push_back(value(random));
        step.push_back(std::abs(value(random)) / 10 + 0.01F);
      }
      const QuantizerParams params = uniformParams(bits, low, step);
      Tensor map(DType::f32, shape);
      for (float& x : map.mutableAs<float>()) x = value(random);
      const std::vector<std::uint8_t> symbols = quantized(map, params);
      const Tensor levels = dequantized(symbols, params, shape);
      const double top = (1 << bits) - 1;
      for (std::size_t i = 0; i < symbols.size(); ++i) {
        const std::size_t entry = by_channel ? i / 35 % 3 : 0;
        const double position = plainPosition(map.as<float>()[i], low[entry], step[entry]);
        // Within rounding of a threshold either neighbour is right.
        if (std::abs(position - std::round(position)) > 1e-4) {
          EXPECT_EQ(symbols[i], std::clamp(std::floor(position), 0.0, top)) << i;
        }
        EXPECT_LE(symbols[i], top);
        const double level =
            static_cast<double>(low[entry]) + static_cast<double>(step[entry]) * symbols[i];
        EXPECT_NEAR(levels.as<float>()[i], level, 1e-5);
      }
    }
  }
}

TEST(UniformQuantizer, MapsLevelsToThemselves) {
  const QuantizerParams params = uniformParams(4, {-0.7F}, {0.3F});
  std::vector<std::uint8_t> symbols(16);
  for (std::size_t i = 0; i < 16; ++i) symbols[i] = static_cast<std::uint8_t>(i);
  const Tensor levels = dequantized(symbols, params, Shape{16});
  EXPECT_EQ(quantized(levels, params), symbols);
}

TEST(UniformQuantizer, RoundsHalfUpAndClamps) {
  const QuantizerParams params = uniformParams(2, {0.0F}, {1.0F});
  const Tensor map =
      Tensor::from<float>(Shape{8}, {-5.0F, 0.49F, 0.5F, 1.5F, 2.4999F, 2.5F, 3.0F, 99.0F});
  EXPECT_EQ(quantized(map, params), (std::vector<std::uint8_t>{0, 0, 1, 2, 2, 3, 3, 3}));
}

TEST(Quantizers, GiveNanTheLowestSymbolAndInfinitiesTheEnds) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  // More values than a vector register holds, so that both the vector and the scalar loop see them.
  std::vector<float> values;
  std::vector<std::uint8_t> expected;
  for (int i = 0; i < 37; ++i) {
    values.insert(values.end(), {nan, infinity, -infinity, -nan});
    expected.insert(expected.end(), {0, 255, 0, 0});
  }
  const Tensor map = Tensor::from<float>(Shape{4 * 37}, values);
  EXPECT_EQ(quantized(map, uniformParams(8, {-1.0F}, {0.01F})), expected);
  for (std::uint8_t& symbol : expected) symbol = symbol != 0 ? 1 : 0;
  EXPECT_EQ(quantized(map, twoLevelParams(0.5F, 1.0F)), expected);
}

TEST(UniformQuantizer, DoesNotOverflowOnExtremeValues) {
  const float huge = std::numeric_limits<float>::max();
  const float tiny = std::numeric_limits<float>::denorm_min();
  const Tensor map = Tensor::from<float>(Shape{4}, {huge, -huge, tiny, -tiny});
  const QuantizerParams params = uniformParams(8, {-1.0F}, {std::numeric_limits<float>::min()});
  EXPECT_EQ(quantized(map, params), (std::vector<std::uint8_t>{255, 0, 255, 255}));
}

/// Symbols and levels of a fixed sequence of values, hashed; computed once on x86-64. Another
/// machine or compiler that gives other bits cannot talk to this one.
TEST(Quantizers, GiveTheSameBitsOnEveryMachine) {
  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
  const auto mix = [&](std::uint32_t word) {
    for (int i = 0; i < 4; ++i) hash = (hash ^ (word >> (8 * i) & 0xFF)) * 0x100000001b3U;
  };
  std::uint32_t state = 1;
  Tensor map(DType::f32, Shape{1, 4, 16, 16});
  for (int bits = 1; bits <= 8; ++bits) {
    for (float& value : map.mutableAs<float>()) {
      state = state * 1664525U + 1013904223U;
      value = static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-30F;
    }
    const QuantizerParams params = uniformParams(
        bits, {-1.1F, -0.3F, 0.0F, 0.017F}, {0.013F, 0.1F, 0.7F / static_cast<float>(bits), 1e-3F});
    const std::vector<std::uint8_t> symbols = quantized(map, params);
    for (const std::uint8_t symbol : symbols) mix(symbol);
    const Tensor levels = dequantized(symbols, params, map.shape());
    for (const float level : levels.as<float>()) mix(std::bit_cast<std::uint32_t>(level));
  }
  EXPECT_EQ(hash, 7140796158639070954U);
}

TEST(TwoLevelQuantizer, FollowsEquationsFiveAndSix) {
  const std::uint32_t seed = test::propertySeed();
  SCOPED_TRACE(test::seedTrace(seed));
  std::mt19937 random(seed);
  const Tensor map = test::featureMap(Shape{1, 2, 9, 11}, random, 0.3);
  double sum = 0, range = 0;
  for (const float x : map.as<float>()) {
    sum += x;
    range = std::max(range, static_cast<double>(x));
  }
  const auto mean = static_cast<float>(sum / static_cast<double>(map.type().elements()));
  const QuantizerParams params = twoLevelParams(mean, static_cast<float>(range));
  const std::vector<std::uint8_t> symbols = quantized(map, params);
  const Tensor levels = dequantized(symbols, params, map.shape());
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    const double f = map.as<float>()[i];
    if (std::abs(f - mean) < 1e-5) continue;
    const double d = std::floor((f - mean) / range);
    ASSERT_TRUE(d == 0 || d == -1);
    EXPECT_EQ(symbols[i], d + 1);
    EXPECT_NEAR(levels.as<float>()[i], d * range + mean, 1e-6);
  }
}

TEST(Quantizers, TakeEmptyMapsAndFeatureVectors) {
  EXPECT_TRUE(
      quantized(Tensor(DType::f32, Shape{0, 3, 2, 2}), uniformParams(3, {0, 0, 0}, {1, 1, 1}))
          .empty());
  const Tensor features = Tensor::from<float>(Shape{2, 2}, {0.9F, 0.9F, 2.1F, 2.1F});
  EXPECT_EQ(quantized(features, uniformParams(2, {0.0F, 0.0F}, {1.0F, 0.5F})),
            (std::vector<std::uint8_t>{1, 2, 2, 3}));
}

QuantizerParams tableParams(int bits, std::vector<float> levels) {
  QuantizerParams params;
  params.kind = QuantizerKind::levels;
  params.bits = bits;
  params.levels = std::move(levels);
  return params;
}

TEST(LevelTable, GivesTheNearestLevelForEveryWidth) {
  const std::uint32_t seed = test::propertySeed();
  SCOPED_TRACE(test::seedTrace(seed));
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> value(-3, 3);
  for (int bits = 1; bits <= 8; ++bits) {
    std::vector<float> levels(std::size_t{1} << bits);
    for (float& level : levels) level = value(random);
    // Some of them twice.
    if (bits > 2) levels[1] = levels[3];
    std::sort(levels.begin(), levels.end());
    Tensor map(DType::f32, Shape{1, 3, 17, 11});
    for (float& x : map.mutableAs<float>()) x = 1.2F * value(random);
    const QuantizerParams params = tableParams(bits, levels);
    const std::vector<std::uint8_t> symbols = quantized(map, params);
    const Tensor restored = dequantized(symbols, params, map.shape());
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      const double x = map.as<float>()[i];
      double nearest = 1e9;
      for (const float level : levels) nearest = std::min(nearest, std::abs(x - level));
      ASSERT_EQ(restored.as<float>()[i], levels.at(symbols[i]));
      EXPECT_NEAR(std::abs(x - restored.as<float>()[i]), nearest, 1e-6) << i;
    }
  }
}

TEST(LevelTable, TakesTheHigherLevelHalfwayAndTheLastOfEqualOnes) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const Tensor map = Tensor::from<float>(
      Shape{9}, {-9.0F, 0.5F, 0.4999F, 1.0F, 2.9F, 3.0F, nan, infinity, -infinity});
  EXPECT_EQ(quantized(map, tableParams(2, {0.0F, 1.0F, 1.0F, 5.0F})),
            (std::vector<std::uint8_t>{0, 2 - 1, 0, 2, 2, 3, 0, 3, 0}));
  // Of equal levels the last one, but for values that are below them.
  std::vector<float> wide(256, 2.0F);
  wide[0] = -1.0F;
  EXPECT_EQ(quantized(map, tableParams(8, wide)),
            (std::vector<std::uint8_t>{0, 1, 0, 1, 255, 255, 0, 255, 0}));
}

TEST(LevelTable, WithEquidistantLevelsIsTheUniformQuantizer) {
  std::vector<float> values;
  values.reserve(1200);
  for (int i = -300; i < 900; ++i) values.push_back(0.125F * static_cast<float>(i) / 16);
  const Tensor map = Tensor::from<float>(Shape{1200}, values);
  for (int bits = 1; bits <= 8; ++bits) {
    std::vector<float> levels;
    levels.reserve(1U << bits);
    for (int q = 0; q < 1 << bits; ++q) levels.push_back(-1.0F + 0.125F * static_cast<float>(q));
    EXPECT_EQ(quantized(map, tableParams(bits, levels)),
              quantized(map, uniformParams(bits, {-1.0F}, {0.125F})));
  }
}

TEST(LevelTable, GivesTheHighestLevelForSymbolsBeyondTheTable) {
  const Tensor restored = dequantized({0, 1, 2, 255}, tableParams(1, {-2.0F, 4.0F}), Shape{4});
  const auto values = restored.as<float>();
  EXPECT_EQ(std::vector<float>(values.begin(), values.end()),
            (std::vector<float>{-2.0F, 4.0F, 4.0F, 4.0F}));
}

}  // namespace
}  // namespace narrows
