#include "narrows/codec/calibrator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "narrows/codec/level_fit.h"
#include "narrows/codec/quantizer.h"
#include "narrows/codec/test_maps.h"

namespace narrows {
namespace {

QuantizerCalibrator calibratorFor(const Tensor& map, Granularity granularity) {
  auto calibrator = QuantizerCalibrator::create(map.type(), granularity);
  NARROWS_ASSERT(calibrator.ok());
  calibrator->observe(map);
  return std::move(*calibrator);
}

QuantizerParams fitted(const QuantizerCalibrator& calibrator, QuantizerKind kind, int bits) {
  auto params = calibrator.fit(kind, bits);
  NARROWS_ASSERT(params.ok());
  return *params;
}

double errorAfterQuantizing(const Tensor& map, const QuantizerParams& params) {
  std::vector<std::uint8_t> symbols(static_cast<std::size_t>(map.type().elements()));
  quantize(map, params, symbols);
  Tensor levels(map.type());
  dequantize(symbols, params, levels.mutableView());
  double sum = 0;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    const double d = static_cast<double>(map.as<float>()[i]) - levels.as<float>()[i];
    sum += d * d;
  }
  return sum / static_cast<double>(symbols.size());
}

QuantizerParams levelsBetween(double low, double high, int bits) {
  QuantizerParams params;
  params.kind = QuantizerKind::uniform;
  params.bits = bits;
  params.low = {static_cast<float>(low)};
  params.step = {static_cast<float>((high - low) / ((1 << bits) - 1))};
  return params;
}

/// The least error over a grid of 72 x 72 clipping ranges.
double bruteForceError(const Tensor& map, int bits) {
  double lowest = map.as<float>()[0], highest = lowest;
  for (const float v : map.as<float>()) {
    lowest = std::min(lowest, static_cast<double>(v));
    highest = std::max(highest, static_cast<double>(v));
  }
  constexpr int kGrid = 72;
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kGrid; ++i) {
    for (int j = i + 1; j <= kGrid; ++j) {
      const double low = lowest + (highest - lowest) * i / kGrid;
      const double high = lowest + (highest - lowest) * j / kGrid;
      best = std::min(best, errorAfterQuantizing(map, levelsBetween(low, high, bits)));
    }
  }
  return best;
}

enum class Distribution { relu, normal, laplace, uniform, outliers, bimodal };

Tensor drawn(Distribution distribution, std::int64_t count, std::mt19937& random) {
  std::normal_distribution<float> normal(0, 1);
  std::exponential_distribution<float> exponential(1);
  Tensor map(DType::f32, Shape{1, 1, 1, count});
  for (float& v : map.mutableAs<float>()) {
    switch (distribution) {
      case Distribution::relu:
        v = std::max(0.0F, normal(random));
        break;
      case Distribution::normal:
        v = 5 + normal(random);
        break;
      case Distribution::laplace:
        v = exponential(random) * (random() % 2 == 0 ? 1.0F : -1.0F);
        break;
      case Distribution::uniform:
        v = static_cast<float>(random() % 100000) * 1e-3F - 20;
        break;
      case Distribution::outliers:
        v = random() % 200 == 0 ? 40 * normal(random) : normal(random);
        break;
      case Distribution::bimodal:
        v = normal(random) * 0.2F + (random() % 3 == 0 ? -1.0F : 3.0F);
        break;
    }
  }
  return map;
}

constexpr Distribution kDistributions[] = {Distribution::relu,     Distribution::normal,
                                           Distribution::laplace,  Distribution::uniform,
                                           Distribution::outliers, Distribution::bimodal};

TEST(Calibrator, IsAtLeastAsGoodAsASearchOverClippingRanges) {
  const std::uint32_t seed = test::propertySeed();
  SCOPED_TRACE(test::seedTrace(seed));
  std::mt19937 random(seed);
  for (const Distribution distribution : kDistributions) {
    // The smaller set is held exactly, the larger one as a histogram.
    for (const std::int64_t count : {400, 1500}) {
      const Tensor map = drawn(distribution, count, random);
      const QuantizerCalibrator calibrator = calibratorFor(map, Granularity::tensor);
      for (const int bits : {1, 2, 3, 4}) {
        const double error =
            errorAfterQuantizing(map, fitted(calibrator, QuantizerKind::uniform, bits));
        EXPECT_LE(error, bruteForceError(map, bits) * 1.02)
            << "distribution " << static_cast<int>(distribution) << ", " << count << " values, "
            << bits << " bits";
      }
    }
  }
}

TEST(Calibrator, ChannelHistogramsAreFineEnoughForEightBits) {
  std::mt19937 random(test::propertySeed());
  for (const Distribution distribution : kDistributions) {
    const Tensor map = drawn(distribution, 20000, random);
    for (const int bits : {6, 8}) {
      const double by_tensor = errorAfterQuantizing(
          map, fitted(calibratorFor(map, Granularity::tensor), QuantizerKind::uniform, bits));
      const double by_channel = errorAfterQuantizing(
          map, fitted(calibratorFor(map, Granularity::channel), QuantizerKind::uniform, bits));
      EXPECT_LE(by_channel, by_tensor * 1.05) << static_cast<int>(distribution) << ' ' << bits;
    }
  }
}

TEST(Calibrator, ErrorNeverGrowsWithTheBits) {
  std::mt19937 random(test::propertySeed());
  for (const Distribution distribution : kDistributions) {
    const Tensor map = drawn(distribution, 4000, random);
    const QuantizerCalibrator calibrator = calibratorFor(map, Granularity::tensor);
    double before = std::numeric_limits<double>::infinity();
    for (int bits = 1; bits <= 8; ++bits) {
      const double error =
          errorAfterQuantizing(map, fitted(calibrator, QuantizerKind::uniform, bits));
      // Half the step keeps every level, so the least error never grows.
      EXPECT_LE(error, before * 1.001) << static_cast<int>(distribution) << ' ' << bits;
      before = error;
    }
  }
}

TEST(Calibrator, FindsEquidistantValuesExactly) {
  std::vector<float> values;
  values.reserve(64);
  for (int i = 0; i < 64; ++i) values.push_back(-0.75F + 0.25F * static_cast<float>(i % 8));
  const Tensor map = Tensor::from<float>(Shape{1, 1, 8, 8}, values);
  const QuantizerParams params =
      fitted(calibratorFor(map, Granularity::tensor), QuantizerKind::uniform, 3);
  EXPECT_EQ(params.low, std::vector<float>{-0.75F});
  EXPECT_EQ(params.step, std::vector<float>{0.25F});
}

TEST(Calibrator, OneBitIsTheBestOfAllSplitsIntoTwoMeans) {
  std::mt19937 random(test::propertySeed());
  const Tensor map = drawn(Distribution::bimodal, 300, random);
  std::vector<float> sorted(map.as<float>().begin(), map.as<float>().end());
  std::sort(sorted.begin(), sorted.end());
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t split = 1; split < sorted.size(); ++split) {
    double error = 0;
    const auto add = [&](std::size_t begin, std::size_t end) {
      double mean = 0;
      for (std::size_t i = begin; i < end; ++i) mean += sorted[i];
      mean /= static_cast<double>(end - begin);
      for (std::size_t i = begin; i < end; ++i) error += (sorted[i] - mean) * (sorted[i] - mean);
    };
    add(0, split);
    add(split, sorted.size());
    best = std::min(best, error / static_cast<double>(sorted.size()));
  }
  const QuantizerParams params =
      fitted(calibratorFor(map, Granularity::tensor), QuantizerKind::uniform, 1);
  EXPECT_NEAR(errorAfterQuantizing(map, params), best, best * 1e-4);
}

TEST(Calibrator, MakesZeroALevelOfMapsAfterARelu) {
  std::mt19937 random(test::propertySeed());
  const Tensor map = test::featureMap(Shape{1, 4, 30, 30}, random, 0.6);
  const Tensor zero = Tensor::from<float>(Shape{1, 4, 1, 1}, {0, 0, 0, 0});
  for (const Granularity granularity : {Granularity::tensor, Granularity::channel}) {
    const QuantizerCalibrator calibrator = calibratorFor(map, granularity);
    for (int bits = 2; bits <= 8; ++bits) {
      const QuantizerParams params = fitted(calibrator, QuantizerKind::uniform, bits);
      std::vector<std::uint8_t> symbols(4);
      quantize(zero, params, symbols);
      Tensor levels(zero.type());
      dequantize(symbols, params, levels.mutableView());
      for (const float level : levels.as<float>()) EXPECT_EQ(level, 0.0F) << bits;
    }
  }
}

TEST(Calibrator, KeepsZeroOfSignedMapsExactWhenItIsALevel) {
  std::mt19937 random(test::propertySeed());
  const Tensor map = drawn(Distribution::laplace, 20000, random);
  const QuantizerParams params =
      fitted(calibratorFor(map, Granularity::tensor), QuantizerKind::uniform, 8);
  const float zero_level = std::round(-params.low[0] / params.step[0]);
  EXPECT_EQ(params.low[0] + params.step[0] * zero_level, 0.0F);
}

TEST(Calibrator, TwoLevelHoldsMeanAndRange) {
  std::mt19937 random(test::propertySeed());
  const Tensor map = test::featureMap(Shape{1, 2, 25, 25}, random, 0.4);
  double sum = 0;
  float highest = 0;
  for (const float v : map.as<float>()) {
    sum += v;
    highest = std::max(highest, v);
  }
  const double mean = sum / static_cast<double>(map.type().elements());
  const QuantizerParams params =
      fitted(calibratorFor(map, Granularity::tensor), QuantizerKind::two_level, 1);
  EXPECT_EQ(params.step[0], highest);
  EXPECT_NEAR(params.low[0], mean - highest, 1e-6);
  EXPECT_FALSE(calibratorFor(map, Granularity::tensor).fit(QuantizerKind::two_level, 2).ok());
}

TEST(Calibrator, GivesValidParametersForDegenerateMaps) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<std::vector<float>> maps = {{},
                                                {0, 0, 0, 0},
                                                {7.5F, 7.5F, 7.5F},
                                                {-3e38F, 3e38F},
                                                {infinity, -infinity, std::nanf("")},
                                                {std::numeric_limits<float>::denorm_min(), 0},
                                                {1.0F, std::nextafter(1.0F, 2.0F)}};
  for (const std::vector<float>& values : maps) {
    const Tensor map =
        Tensor::from<float>(Shape{1, 1, static_cast<std::int64_t>(values.size())}, values);
    for (const Granularity granularity : {Granularity::tensor, Granularity::channel}) {
      const QuantizerCalibrator calibrator = calibratorFor(map, granularity);
      for (int bits = 1; bits <= 8; ++bits) {
        const auto params = calibrator.fit(QuantizerKind::uniform, bits);
        ASSERT_TRUE(params.ok()) << params.error().message;
      }
      ASSERT_TRUE(calibrator.fit(QuantizerKind::two_level, 1).ok());
      ASSERT_TRUE(calibrator.fit(QuantizerKind::none, 8).ok());
    }
  }
  const Tensor constant = Tensor::from<float>(Shape{1, 1, 3}, {7.5F, 7.5F, 7.5F});
  const QuantizerParams params =
      fitted(calibratorFor(constant, Granularity::tensor), QuantizerKind::uniform, 4);
  EXPECT_EQ(params.low[0], 7.5F);
  EXPECT_EQ(errorAfterQuantizing(constant, params), 0);
}

TEST(Calibrator, DoesNotDependOnOrderOrMerging) {
  std::mt19937 random(test::propertySeed());
  std::vector<Tensor> maps;
  const Shape shape{1, 3, 14, 14};
  maps.reserve(9);
  for (int i = 0; i < 9; ++i) maps.push_back(test::featureMap(shape, random));
  for (const Granularity granularity : {Granularity::tensor, Granularity::channel}) {
    QuantizerCalibrator forward = calibratorFor(maps[0], granularity);
    for (std::size_t i = 1; i < maps.size(); ++i) forward.observe(maps[i]);
    QuantizerCalibrator a = calibratorFor(maps[8], granularity);
    QuantizerCalibrator b = calibratorFor(maps[7], granularity);
    for (std::size_t i = 7; i-- > 0;) (i % 2 == 0 ? a : b).observe(maps[i]);
    b.merge(a);
    for (int bits = 1; bits <= 8; ++bits) {
      EXPECT_EQ(fitted(forward, QuantizerKind::uniform, bits),
                fitted(b, QuantizerKind::uniform, bits));
    }
    EXPECT_EQ(fitted(forward, QuantizerKind::two_level, 1), fitted(b, QuantizerKind::two_level, 1));
  }
}

TEST(Calibrator, SeparatesChannels) {
  const Tensor map = Tensor::from<float>(Shape{2, 2, 1, 2}, {0, 1, 10, 30, 0, 1, 10, 30});
  const QuantizerParams params =
      fitted(calibratorFor(map, Granularity::channel), QuantizerKind::uniform, 1);
  EXPECT_EQ(params.low, (std::vector<float>{0, 10}));
  EXPECT_EQ(params.step, (std::vector<float>{1, 20}));
}

TEST(Calibrator, RefusesOtherTypes) {
  EXPECT_FALSE(
      QuantizerCalibrator::create({DType::u8, Shape{1, 2, 3, 4}}, Granularity::tensor).ok());
  EXPECT_FALSE(QuantizerCalibrator::create({DType::f32, Shape{4}}, Granularity::channel).ok());
}

TEST(Calibrator, FindsTheLevelsOfLloydAndMaxForTheNormalDistribution) {
  // J. Max, Quantizing for minimum distortion, 1960, table I.
  struct Row {
    int bits;
    std::vector<double> upper;
    double error;
  };
  const Row rows[] = {{1, {0.7980}, 0.3634},
                      {2, {0.4528, 1.510}, 0.1175},
                      {3, {0.2451, 0.7560, 1.344, 2.152}, 0.03454}};
  Tensor map(DType::f32, Shape{1, 1, 400, 500});
  std::mt19937 random(17);
  std::normal_distribution<float> normal;
  auto values = map.mutableAs<float>();
  // Each value with its negative, so that the sample is symmetric as the distribution is.
  for (std::size_t i = 0; i < values.size(); i += 2) {
    values[i] = normal(random);
    values[i + 1] = -values[i];
  }
  const QuantizerCalibrator calibrator = calibratorFor(map, Granularity::tensor);
  for (const Row& row : rows) {
    SCOPED_TRACE(row.bits);
    const QuantizerParams params = fitted(calibrator, QuantizerKind::levels, row.bits);
    ASSERT_EQ(params.levels.size(), 2 * row.upper.size());
    for (std::size_t i = 0; i < row.upper.size(); ++i) {
      EXPECT_NEAR(params.levels[row.upper.size() + i], row.upper[i], 0.03);
      EXPECT_NEAR(params.levels[row.upper.size() - 1 - i], -row.upper[i], 0.03);
    }
    EXPECT_NEAR(errorAfterQuantizing(map, params), row.error, 0.02 * row.error);
  }
}

TEST(Calibrator, FreeLevelsAreNeverWorseThanUniformOnes) {
  const std::uint32_t seed = test::propertySeed();
  SCOPED_TRACE(test::seedTrace(seed));
  std::mt19937 random(seed);
  for (const double zeros : {0.0, 0.6}) {
    const Tensor map = test::featureMap(Shape{1, 6, 24, 24}, random, zeros);
    const QuantizerCalibrator calibrator = calibratorFor(map, Granularity::tensor);
    for (int bits = 1; bits <= 8; ++bits) {
      const double uniform =
          errorAfterQuantizing(map, fitted(calibrator, QuantizerKind::uniform, bits));
      const double free =
          errorAfterQuantizing(map, fitted(calibrator, QuantizerKind::levels, bits));
      // Histogram bins, and zero as a level, cost a little.
      EXPECT_LE(free, 1.03 * uniform) << bits;
    }
  }
}

TEST(Calibrator, FindsAFewDistinctValuesAsLevels) {
  const Tensor map = Tensor::from<float>(Shape{8}, {0, 0, 0, 0.5F, 7, 7, -2, 0.5F});
  const QuantizerParams params =
      fitted(calibratorFor(map, Granularity::tensor), QuantizerKind::levels, 2);
  EXPECT_EQ(params.levels, (std::vector<float>{-2, 0, 0.5F, 7}));
}

TEST(Calibrator, FitsLevelsToDegenerateMapsAndRefusesChannels) {
  for (const float value : {0.0F, 3.0F, -0x1p126F}) {
    Tensor map(DType::f32, Shape{1, 2, 3, 3});
    for (float& x : map.mutableAs<float>()) x = value;
    for (const int bits : {1, 4, 8}) {
      const QuantizerParams params =
          fitted(calibratorFor(map, Granularity::tensor), QuantizerKind::levels, bits);
      EXPECT_EQ(errorAfterQuantizing(map, params), 0);
    }
  }
  const Tensor empty(DType::f32, Shape{1, 2, 0, 3});
  EXPECT_EQ(fitted(calibratorFor(empty, Granularity::tensor), QuantizerKind::levels, 1).levels[0],
            0.0F);
  const QuantizerCalibrator by_channel =
      calibratorFor(Tensor(DType::f32, Shape{1, 2, 3, 3}), Granularity::channel);
  EXPECT_FALSE(by_channel.fit(QuantizerKind::levels, 3).ok());
}

}  // namespace
}  // namespace narrows
