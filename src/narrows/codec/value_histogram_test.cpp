#include "narrows/codec/value_histogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "narrows/codec/test_maps.h"

namespace narrows {
namespace {

std::vector<float> normalValues(std::size_t count, std::mt19937& random) {
  std::normal_distribution<float> normal(0.2F, 1.5F);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

bool equal(const std::vector<WeightedValue>& a, const std::vector<WeightedValue>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].value != b[i].value || a[i].weight != b[i].weight) return false;
  }
  return true;
}

TEST(ValueHistogram, HoldsFewDistinctValuesExactly) {
  ValueHistogram histogram(4);
  histogram.observe(std::vector<float>{3.0F, -0.0F, 0.0F, 3.0F, -1.25F, 3.0F});
  EXPECT_TRUE(histogram.exact());
  const auto points = histogram.points(1, -10, 10);
  EXPECT_TRUE(equal(points, {{-1.25, 1}, {0, 2}, {3, 3}}));
  EXPECT_EQ(histogram.mean(), 7.75 / 6);
  EXPECT_EQ(histogram.lowest(), -1.25F);
  EXPECT_EQ(histogram.highest(), 3.0F);
}

TEST(ValueHistogram, IsEmptyAtFirst) {
  const ValueHistogram histogram(8);
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.mean(), 0);
  EXPECT_EQ(histogram.lowest(), 0);
  EXPECT_TRUE(histogram.points(1, 0, 1).empty());
}

TEST(ValueHistogram, LeavesOutWhatIsNotFiniteAndBoundsTheRest) {
  ValueHistogram histogram(8);
  const float infinity = std::numeric_limits<float>::infinity();
  histogram.observe(std::vector<float>{infinity, -infinity, std::nanf(""), 1.0F, 3e38F});
  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_EQ(histogram.highest(), ValueHistogram::kLargest);
}

TEST(ValueHistogram, PointsKeepWeightAndMomentsOfTheValues) {
  const std::uint32_t seed = test::propertySeed();
  SCOPED_TRACE(test::seedTrace(seed));
  std::mt19937 random(seed);
  const std::vector<float> values = normalValues(20000, random);
  double sum = 0, squares = 0;
  for (const float v : values) {
    sum += v;
    squares += static_cast<double>(v) * v;
  }
  for (const int mantissa_bits : {6, 8, 11}) {
    ValueHistogram histogram(mantissa_bits);
    histogram.observe(values);
    ASSERT_FALSE(histogram.exact());
    EXPECT_NEAR(histogram.mean(), sum / 20000, 1e-9);
    for (const double spacing : {0.3, 0.01, 0.0005}) {
      const auto points = histogram.points(spacing, -4, 4);
      double weight = 0, point_sum = 0, point_squares = 0;
      for (std::size_t i = 0; i < points.size(); ++i) {
        if (i > 0) {
          EXPECT_GT(points[i].value, points[i - 1].value);
        }
        weight += points[i].weight;
        point_sum += points[i].weight * points[i].value;
        point_squares += points[i].weight * points[i].value * points[i].value;
      }
      EXPECT_NEAR(weight, 20000, 1e-6);
      EXPECT_NEAR(point_sum / weight, sum / 20000, 0.01);
      EXPECT_NEAR(point_squares / weight, squares / 20000, 0.03);
    }
  }
}

TEST(ValueHistogram, QuantilesSplitTheValuesToTheWidthOfABin) {
  std::mt19937 random(test::propertySeed());
  const std::vector<float> values = normalValues(5000, random);
  ValueHistogram histogram(8);
  histogram.observe(values);
  for (const double fraction : {0.01, 0.25, 0.5, 0.75, 0.99}) {
    const double quantile = histogram.quantile(fraction);
    const double width = std::abs(quantile) / 128;
    const auto below =
        std::count_if(values.begin(), values.end(), [&](float v) { return v <= quantile; });
    const auto well_below =
        std::count_if(values.begin(), values.end(), [&](float v) { return v < quantile - width; });
    EXPECT_GE(static_cast<double>(below), fraction * 5000);
    EXPECT_LE(static_cast<double>(well_below), fraction * 5000);
  }
}

TEST(ValueHistogram, DependsOnTheMultisetOfValuesAlone) {
  std::mt19937 random(test::propertySeed());
  for (const std::size_t count : {100, 700, 5000}) {
    std::vector<float> values = normalValues(count, random);
    ValueHistogram whole(8);
    whole.observe(values);
    std::shuffle(values.begin(), values.end(), random);
    ValueHistogram first(8), second(8), third(8);
    const std::span<const float> all = values;
    first.observe(all.first(count / 5));
    second.observe(all.subspan(count / 5, count / 2));
    third.observe(all.subspan(count / 5 + count / 2));
    third.merge(second);
    third.merge(first);
    EXPECT_EQ(whole.count(), third.count());
    EXPECT_EQ(whole.mean(), third.mean());
    EXPECT_EQ(whole.exact(), third.exact());
    EXPECT_TRUE(equal(whole.points(0.01, -2, 2), third.points(0.01, -2, 2)));
  }
}

}  // namespace
}  // namespace narrows
