#include "narrows/train/rate_control.h"

#include <gtest/gtest.h>

namespace narrows::test {
namespace {

constexpr RateControl kControl{1000, 0.1, 4};

TEST(RateControl, BeginsAtAShareOfTheTaskAndFollowsTheLength) {
  const double first = kControl.next(0, 1500, 120, 12000);
  EXPECT_DOUBLE_EQ(first, 0.001);
  EXPECT_DOUBLE_EQ(kControl.next(first, 1500, 120, 12000), 0.00225);
  EXPECT_DOUBLE_EQ(kControl.next(first, 9000, 120, 12000), 0.004);
  EXPECT_DOUBLE_EQ(kControl.next(first, 800, 120, 12000), 0.00064);
  EXPECT_DOUBLE_EQ(kControl.next(first, 10, 120, 12000), 0.00025);
  EXPECT_EQ(kControl.next(0, 900, 120, 12000), 0);
}

TEST(RateControl, WithoutATargetNothingMoves) {
  const RateControl none;
  EXPECT_EQ(none.next(0.25, 5000, 1, 1), 0.25);
  EXPECT_TRUE(none.better(2, 5000, 1, 10));
  EXPECT_FALSE(none.better(1, 10, 1, 5000));
}

TEST(RateControl, KeepsTheTargetFirstThenTheFigure) {
  EXPECT_TRUE(kControl.better(50, 990, 80, 1001));
  EXPECT_FALSE(kControl.better(80, 1001, 50, 990));
  EXPECT_TRUE(kControl.better(51, 999, 50, 500));
  EXPECT_TRUE(kControl.better(10, 1500, 80, 1600));
  EXPECT_FALSE(kControl.better(80, 1600, 10, 1500));
}

}  // namespace
}  // namespace narrows::test
