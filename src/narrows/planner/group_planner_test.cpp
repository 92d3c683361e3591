#include "narrows/planner/group_planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <map>

#include "narrows/graph/passes.h"
#include "narrows/planner/pipeline_path.h"
#include "narrows/planner/stage_space.h"
#include "narrows/planner/weight_slicing.h"
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
  std::map<GroupObjective, std::vector<double>> gaps;
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
        if (std::isfinite(planning->gap())) gaps[objective].push_back(100 * planning->gap());
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
  for (auto& [objective, list] : gaps) {
    std::sort(list.begin(), list.end());
    const std::string name = fmt::format("planner_general_gap_percent_{}", toString(objective));
    fmt::print("{}: {:.0f} to {:.0f}, median {:.0f}\n", name, list.front(), list.back(),
               list[list.size() / 2]);
    test::recordFigure(name + "_median", list[list.size() / 2], "%", "modelled");
    test::recordFigure(name + "_max", list.back(), "%", "modelled");
  }
}

/// One core of a Raspberry Pi 3, as DeepThings ran; about a tenth of four cores of a Pi 4. What
/// moves goes through the gateway, whose link carries all of it.
constexpr std::string_view kThroughGateway = R"(
medium = "shared"
link = "100Mbit/s"
[[device]]
name = "pi"
count = 6
speed = 0.1
memory = "none"
)";

/// Of the published scheme, slices of filters alone over fused pairs; traffic likewise.
struct FusedGain {
  double latency = 0;
  double traffic = 0;
};
FusedGain fusedGain(const Graph& graph, const DeviceGroup& group, std::size_t first_sliced) {
  std::array<double, 2> latency{};
  std::array<double, 2> traffic{};
  for (const bool fused : {false, true}) {
    auto design = publishedScheme(graph, group, first_sliced, fused, 3, 3);
    NARROWS_ASSERT(design.ok());
    auto priced = priceDesign(graph, group, std::move(*design), {});
    NARROWS_ASSERT(priced.ok());
    latency[fused ? 1 : 0] = priced->simulation.latency.value();
    traffic[fused ? 1 : 0] = priced->simulation.traffic.value();
  }
  fmt::print("slices of filters {:.2f} s, {:.1f} MB; fused {:.2f} s, {:.1f} MB\n", latency[0],
             traffic[0] / 1e6, latency[1], traffic[1] / 1e6);
  return {latency[0] / latency[1], traffic[0] / traffic[1]};
}

TEST(PublishedScheme, FusedLayersBeatSlicesOfFiltersAlone) {
  const DeviceGroup group = groupOf(kThroughGateway);
  // Small messages that wait for a delayed acknowledgement: 40 ms on Linux (tcp(7), TCP_QUICKACK).
  DeviceGroup waiting = group;
  for (GroupDevice& device : waiting.devices) device.link.setup = milliseconds(40);
  struct Network {
    const char* name;
    std::size_t first_sliced;  // the authors' places, among the convolutions
  };
  double best = 0;
  double best_waiting = 0;
  double ceiling = 0;
  for (const Network& network : {Network{"zoo:yolov2", 8}, Network{"zoo:vgg16", 4},
                                 Network{"zoo:googlenet", 2}, Network{"zoo:alexnet", 1}}) {
    const Graph graph = networkOf(network.name);
    const FusedGain gain = fusedGain(graph, group, network.first_sliced);
    const FusedGain delayed = fusedGain(graph, waiting, network.first_sliced);
    EXPECT_GE(gain.traffic, 1) << network.name;
    const auto layers = slicedLayers(graph);
    const auto sliced = std::span(layers).subspan(network.first_sliced);
    const double elements = sliceFiltersOnly(sliced, 6).elements / sliceByPath(sliced, 6).elements;
    fmt::print("{}: {:.2f} times, {:.2f} with delayed acknowledgements; elements {:.2f} times\n",
               network.name, gain.latency, delayed.latency, elements);
    best = std::max(best, gain.latency);
    best_waiting = std::max(best_waiting, delayed.latency);
    ceiling = std::max(ceiling, elements);
  }
  EXPECT_GT(best, 1);
  // A frame that is all moving gains what elements do.
  EXPECT_LE(best, ceiling + 0.01);
  test::recordFigure("fused_speedup_sim", best, "times", "simulated");
  test::recordFigure("fused_speedup_sim_delayed_ack", best_waiting, "times", "simulated");
  test::recordFigure("fused_speedup_elements", ceiling, "times", "modelled");
  // "Up to" (Stahl et al., IJPP 2021).
  test::recordFigure("fused_speedup_published", 1.52, "times", "published");
}

/// Cheapest pipeline of a short network by trying all.
double bestByCounting(const Graph& graph, const DeviceGroup& group, const StageSpace& space,
                      std::size_t boundary, std::size_t used, GroupDesign& design) {
  if (boundary + 1 == space.boundaries().size()) {
    auto priced = priceDesign(graph, group, design, {});
    EXPECT_TRUE(priced.ok());
    return priced->feasible() ? priced->value : INFINITY;
  }
  double best = INFINITY;
  for (std::size_t end = boundary + 1; end < space.boundaries().size(); ++end) {
    for (std::size_t d = 0; d < group.devices.size(); ++d) {
      if ((used >> d & 1) != 0) continue;
      design.stages.push_back({space.boundaries()[end], WholeStage{DeviceId(d)}});
      best = std::min(best,
                      bestByCounting(graph, group, space, end, used | std::size_t{1} << d, design));
      design.stages.pop_back();
    }
  }
  return best;
}

TEST(BestPipeline, IsTheBestOfAllForAChain) {
  auto built = buildZooModel("zoo:alexnet@96,width=0.25,classes=10", 1, false);
  ASSERT_TRUE(built.ok()) << built.error().message;
  auto graph = simplify(built->graph);
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  const DeviceGroup group = groupOf(R"(
link = "20Mbit/s"
[[device]]
name = "a"
speed = 0.02
memory = "12MB"
[[device]]
name = "b"
speed = 0.1
memory = "11MB"
link = "5Mbit/s"
[[device]]
name = "c"
speed = 0.05
memory = "16MB"
)");
  auto space = StageSpace::create(*graph, group);
  ASSERT_TRUE(space.ok()) << space.error().message;
  GroupDesign design;
  for (const GroupDevice& device : group.devices) design.devices.push_back({device.name});
  design.source = design.sink = DeviceId(0);
  const double counted = bestByCounting(*graph, group, *space, 0, 0, design);
  const auto stages = bestPipeline(*space, group, *graph, GroupObjective::latency);
  ASSERT_TRUE(stages.has_value());
  design.stages = *stages;
  auto priced = priceDesign(*graph, group, design, {});
  ASSERT_TRUE(priced.ok()) << priced.error().message;
  EXPECT_TRUE(priced->feasible());
  EXPECT_NEAR(priced->value, counted, 0.02 * counted);
}

}  // namespace
}  // namespace narrows
