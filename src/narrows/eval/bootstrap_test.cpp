#include "narrows/eval/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace narrows {
namespace {

double meanOf(const std::vector<double>& values, std::span<const std::size_t> sample) {
  double sum = 0;
  for (const std::size_t index : sample) sum += values[index];
  return sum / static_cast<double>(sample.size());
}

/// The standard deviation of a mean is known: the interval is 1.96 of them to each side.
TEST(Bootstrap, IntervalOfAMeanIsThatOfTheNormalDistribution) {
  constexpr std::size_t kItems = 400;
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal(10, 2);
  std::vector<double> values(kItems);
  for (double& value : values) value = normal(random);
  std::vector<std::size_t> all(kItems);
  std::iota(all.begin(), all.end(), 0u);
  const double mean = meanOf(values, all);
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double error = std::sqrt(squares) / static_cast<double>(kItems);
  const Interval interval = bootstrap(
      kItems, {4000, 3}, [&](std::span<const std::size_t> s) { return meanOf(values, s); });
  EXPECT_NEAR(interval.low, mean - 1.96 * error, 0.1 * error);
  EXPECT_NEAR(interval.high, mean + 1.96 * error, 0.1 * error);
}

TEST(Bootstrap, PairedDifferencesOfLikeSystemsAreNarrow) {
  std::mt19937_64 random(9);
  std::normal_distribution<double> normal(0, 5);
  std::vector<double> first(100);
  std::vector<double> second(100);
  for (std::size_t i = 0; i < first.size(); ++i) {
    first[i] = normal(random);
    second[i] = first[i] + 1;
  }
  const Interval interval = bootstrap(100, {}, [&](std::span<const std::size_t> s) {
    return meanOf(second, s) - meanOf(first, s);
  });
  EXPECT_NEAR(interval.low, 1, 1e-9);
  EXPECT_NEAR(interval.high, 1, 1e-9);
}

TEST(Bootstrap, TheSameSeedGivesTheSameInterval) {
  const std::vector<double> values{1, 2, 4, 8, 16, 32};
  const auto interval = [&](std::uint64_t seed) {
    return bootstrap(values.size(), {200, seed},
                     [&](std::span<const std::size_t> s) { return meanOf(values, s); });
  };
  EXPECT_EQ(interval(5).low, interval(5).low);
  EXPECT_EQ(interval(5).high, interval(5).high);
  EXPECT_NE(interval(5).high, interval(6).high);
}

}  // namespace
}  // namespace narrows
