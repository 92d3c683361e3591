#include "narrows/codec/context_cluster.h"

#include <gtest/gtest.h>

#include <random>

namespace narrows {
namespace {

constexpr std::size_t kKinds = 5;

/// The more zeros the higher the kind, the rest of one other unit; by chance more or less of it.
UnitWeights drawn(std::size_t kind, std::mt19937& random) {
  std::uniform_real_distribution<float> total(800, 1200);
  UnitWeights weights{};
  const float all = total(random);
  const float share = static_cast<float>(kind) / kKinds;
  weights[0] = share * all;
  weights[1 + 3 * kind] = (1 - share) * all;
  return weights;
}

/// Rows are as many as kinds, and no multiple of a vector's length.
TEST(ContextCluster, LikeContextsShareARowSeenOrNot) {
  std::mt19937 random(7);
  std::vector<UnitWeights> weights;
  std::vector<bool> seen;
  for (std::size_t c = 0; c < 400; ++c) {
    weights.push_back(drawn(c % kKinds, random));
    seen.push_back(c % 3 != 0);
  }
  // Two that were not seen and have the same weights.
  weights.push_back(weights[3]);
  seen.push_back(false);
  const std::vector<std::uint8_t> rows = clusterContexts(weights, seen, kKinds);
  ASSERT_EQ(rows.size(), weights.size());
  for (std::size_t c = 0; c + 1 < rows.size(); ++c) EXPECT_EQ(rows[c], rows[c % kKinds]) << c;
  for (std::size_t a = 0; a < kKinds; ++a) {
    for (std::size_t b = 0; b < a; ++b) EXPECT_NE(rows[a], rows[b]);
  }
  EXPECT_EQ(rows.back(), rows[3]);
}

/// Where there are rows enough, each context that was seen has its own; one without any weight
/// suits all rows and takes the first.
TEST(ContextCluster, EveryContextMayHaveItsRow) {
  std::mt19937 random(8);
  std::vector<UnitWeights> weights;
  for (std::size_t kind = 0; kind < kKinds; ++kind) weights.push_back(drawn(kind, random));
  std::vector<bool> seen(weights.size(), true);
  weights.emplace_back();
  seen.push_back(false);
  const std::vector<std::uint8_t> rows = clusterContexts(weights, seen, 100);
  for (std::size_t a = 0; a < kKinds; ++a) {
    for (std::size_t b = 0; b < a; ++b) EXPECT_NE(rows[a], rows[b]);
  }
  EXPECT_EQ(rows.back(), 0);
}

}  // namespace
}  // namespace narrows
