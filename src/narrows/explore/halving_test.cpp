#include "narrows/explore/halving.h"

#include <gtest/gtest.h>

namespace narrows {
namespace {

using Calls = std::vector<std::pair<std::size_t, std::size_t>>;  // candidate, epochs

/// Candidate i loses start[i] / epochs points; an epoch takes a second.
CandidateTrainer falling(const std::vector<double>& start, Calls& calls) {
  return [&](std::size_t candidate, std::size_t epochs) -> Result<Trial> {
    calls.emplace_back(candidate, epochs);
    return Trial{candidate, epochs, start[candidate] / static_cast<double>(epochs),
                 Seconds(static_cast<double>(epochs))};
  };
}

TEST(Halving, TrainsTheBetterHalfTwiceAsLong) {
  Calls calls;
  const std::vector<double> start = {40, 10, 30, 20, 50};
  auto trials = halve(5, {2, Seconds(1000), 0}, falling(start, calls));
  ASSERT_TRUE(trials.ok());
  EXPECT_EQ(calls, (Calls{{0, 2},
                          {1, 2},
                          {2, 2},
                          {3, 2},
                          {4, 2},  //
                          {1, 4},
                          {3, 4},
                          {2, 4},  //
                          {1, 8},
                          {3, 8},  //
                          {1, 16}}));
  EXPECT_EQ(trials->size(), calls.size());
  EXPECT_DOUBLE_EQ(trials->back().drop, 10.0 / 16);
}

TEST(Halving, LeavesThoseThatHaveArrived) {
  Calls calls;
  const std::vector<double> start = {1, 10, 30};
  ASSERT_TRUE(halve(3, {2, Seconds(1000), 0.5}, falling(start, calls)).ok());
  EXPECT_EQ(calls, (Calls{{0, 2}, {1, 2}, {2, 2}, {1, 4}}));
}

TEST(Halving, KeepsToItsBudget) {
  const std::vector<double> start = {40, 10, 30, 20, 50, 60, 70, 80};
  for (double budget = 0; budget < 60; budget += 1) {
    Calls calls;
    auto trials = halve(8, {2, Seconds(budget), 0}, falling(start, calls));
    ASSERT_TRUE(trials.ok());
    double spent = 0;
    double first = 0;
    for (const Trial& trial : *trials) {
      spent += trial.time.value();
      if (trial.epochs == 2) first += trial.time.value();
    }
    // How long an epoch takes is not known before the first trial has ended.
    EXPECT_LE(spent, std::max(budget, 2.0)) << budget;
    EXPECT_LE(first, std::max(budget / 2, 2.0)) << budget;
  }
}

TEST(Halving, StopsAtAnErrorAndWithoutCandidates) {
  auto failed = halve(2, {2, Seconds(10), 0}, [](std::size_t, std::size_t) -> Result<Trial> {
    return makeError("no pictures");
  });
  EXPECT_EQ(failed.error().message, "no pictures");
  Calls calls;
  EXPECT_TRUE(halve(0, {2, Seconds(10), 0}, falling({}, calls))->empty());
}

}  // namespace
}  // namespace narrows
