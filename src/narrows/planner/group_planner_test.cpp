#include "narrows/planner/group_planner.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "narrows/graph/passes.h"
#include "narrows/planner/stage_space.h"
#include "narrows/zoo/zoo.h"
#include "tests/support/figure.h"

namespace narrows {
namespace {

Graph networkOf(const char* name) {
  auto model = buildZooModel(name, 1, false);
  NARROWS_ASSERT(model.ok());
  auto graph = simplify(model->graph);
  NARROWS_ASSERT(graph.ok());
  return std::move(*graph);
}

DeviceGroup groupOf(std::string_view toml) {
  auto group = parseDeviceGroup(toml, "test");
  NARROWS_ASSERT(group.ok());
  return std::move(*group);
}

constexpr std::string_view kSixBoards = R"(
link = "100Mbit/s"
[[device]]
name = "pi"
count = 6
)";

constexpr std::string_view kUnlike = R"(
link = "100Mbit/s"
[[device]]
name = "camera"
speed = 0.25
memory = "64MB"
[[device]]
name = "board"
count = 3
memory = "256MB"
[[device]]
name = "fast"
speed = 4
link = "1Gbit/s"
memory = "256MB"
)";

double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void expectNoWorse(const GroupPlanning& planning, const char* what) {
  for (const GroupAlternative& other : planning.alternatives) {
    if (other.feasible) {
      EXPECT_LE(planning.best.value, other.value * (1 + 1e-9)) << what << " " << other.name;
    }
  }
  EXPECT_GE(planning.best.value, planning.bound * (1 - 1e-9)) << what;
  EXPECT_TRUE(planning.best.feasible()) << what;
}

TEST(PlanGroup, IsNeverWorseThanTheAlternativesNorBetterThanTheBound) {
  double slowest = 0;
  for (const char* name : {"zoo:yolov2", "zoo:vgg16", "zoo:mobilenetv2", "zoo:resnet18"}) {
    const Graph graph = networkOf(name);
    for (const std::string_view text : {kSixBoards, kUnlike}) {
      const DeviceGroup group = groupOf(text);
      for (const GroupObjective objective :
           {GroupObjective::latency, GroupObjective::throughput, GroupObjective::traffic,
            GroupObjective::memory, GroupObjective::energy}) {
        GroupPlannerOptions options;
        options.objective = objective;
        const auto start = std::chrono::steady_clock::now();
        auto planning = planGroup(graph, group, options);
        const double seconds = secondsSince(start);
        slowest = std::max(slowest, seconds);
        const std::string what =
            fmt::format("{}, {} devices, {}", name, group.devices.size(), toString(objective));
        if (!planning.ok()) {
          fmt::print("{}: {} ({:.2f} s)\n", what, planning.error().message, seconds);
          continue;
        }
        expectNoWorse(*planning, what.c_str());
        fmt::print("{}: {:.4g} {}, gap {:.0f} %, {} plans, {:.2f} s;", what, planning->best.value,
                   unitOf(objective), 100 * planning->gap(), planning->candidates, seconds);
        for (const GroupAlternative& other : planning->alternatives) {
          if (other.name == "all on pi2" || other.name == "all on pi3") break;
          if (other.feasible) fmt::print(" {} {:.4g}", other.name, other.value);
        }
        fmt::print(" {}\n", planning->best.design.stages.size());
      }
    }
  }
  fmt::print("slowest {:.2f} s\n", slowest);
  EXPECT_LT(slowest, 10);
  test::recordFigure("planner_general_s_max", slowest, "s");
}

}  // namespace
}  // namespace narrows
