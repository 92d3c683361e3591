#include "narrows/explore/objectives.h"

#include <gtest/gtest.h>

#include <random>

namespace narrows {
namespace {

const std::vector<Objective> kThree{Objective::drop, Objective::energy, Objective::bytes};

/// By the definition, in quadratic time.
std::vector<std::size_t> plainParetoSet(const std::vector<Objective>& objectives,
                                        const std::vector<Scores>& points) {
  std::vector<std::size_t> front;
  for (std::size_t i = 0; i < points.size(); ++i) {
    bool dominated = false;
    for (std::size_t k = 0; k < points.size(); ++k) {
      bool worse = false;
      bool better = false;
      for (Objective objective : objectives) {
        worse = worse || at(points[k], objective) > at(points[i], objective);
        better = better || at(points[k], objective) < at(points[i], objective);
      }
      dominated = dominated || (!worse && (better || k < i));
    }
    if (!dominated) front.push_back(i);
  }
  return front;
}

TEST(ParetoSet, IsThatOfTheDefinition) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    std::vector<Scores> points(random() % 60);
    // Few values, so that equal coordinates and equal points are common.
    for (Scores& point : points) {
      for (double& score : point) score = static_cast<double>(random() % 6);
    }
    EXPECT_EQ(paretoSet(kThree, points), plainParetoSet(kThree, points)) << "seed " << seed;
  }
}

TEST(ParetoSet, IgnoresWhatIsNoObjective) {
  EXPECT_EQ(paretoSet({Objective::bytes}, {Scores{0, 0, 0, 2, 0}, Scores{9, 9, 9, 1, 9}}),
            std::vector<std::size_t>{1});
}

TEST(Objective, NamesAreReadBack) {
  for (std::size_t i = 0; i < kObjectives; ++i) {
    const auto objective = static_cast<Objective>(i);
    auto parsed = parseObjective(toString(objective));
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(*parsed, objective);
  }
  EXPECT_EQ(*parseObjective("throughput"), Objective::period);
  EXPECT_NE(parseObjective("speed").error().message.find("speed"), std::string::npos);
}

}  // namespace
}  // namespace narrows
