#include "narrows/engine/executor/team.h"

#include <gtest/gtest.h>

#include <numeric>

namespace narrows::executor {
namespace {

TEST(Team, RunsEveryPartOnce) {
  for (std::size_t size : {1, 2, 3, 5}) {
    Team team(size);
    EXPECT_EQ(team.size(), size);
    for (std::size_t count = 0; count < 40; ++count) {
      std::vector<int> runs(count, 0);
      team.run(count, [&](std::size_t part) { ++runs[part]; });
      EXPECT_EQ(runs, std::vector<int>(count, 1)) << size << " members";
    }
  }
}

TEST(Team, ReturnsOnlyWhenAllPartsAreDone) {
  Team team(3);
  std::int64_t total = 0;
  for (std::int64_t call = 0; call < 20000; ++call) {
    std::array<std::int64_t, 4> parts{};
    team.run(parts.size(), [&](std::size_t part) { parts[part] = call; });
    total += std::accumulate(parts.begin(), parts.end(), std::int64_t{0});
  }
  EXPECT_EQ(total, 4 * std::int64_t{20000} * 19999 / 2);
}

TEST(Team, WakesMembersThatSleep) {
  Team team(2);
  for (int call = 0; call < 5; ++call) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::array<int, 2> runs{};
    team.run(2, [&](std::size_t part) { ++runs[part]; });
    EXPECT_EQ(runs, (std::array<int, 2>{1, 1}));
  }
}

TEST(Share, CoversAllItemsOnce) {
  for (std::int64_t total : {0, 1, 2, 7, 100}) {
    std::int64_t next = 0;
    for (std::size_t part = 0; part < 3; ++part) {
      const Share range = share(total, part, 3);
      EXPECT_EQ(range.begin, next);
      next = range.end;
    }
    EXPECT_EQ(next, total);
  }
}

}  // namespace
}  // namespace narrows::executor
