#include "narrows/plan/group.h"

#include <gtest/gtest.h>

#include "narrows/graph/cost.h"

namespace narrows {
namespace {

ValueId must(Result<ValueId> value) {
  NARROWS_ASSERT(value.ok());
  return *value;
}

ValueId addConv(Graph& graph, ValueId x, std::int64_t channels, std::int64_t kernel,
                std::string_view name) {
  const std::int64_t in = graph.shape(x)[1];
  Conv2d conv;
  conv.window.kernel = {kernel, kernel};
  conv.window.pads = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
  const ValueId weight = graph.addConstant(std::string(name) + ".weight",
                                           Tensor(DType::f32, {channels, in, kernel, kernel}));
  const ValueId bias =
      graph.addConstant(std::string(name) + ".bias", Tensor(DType::f32, {channels}));
  return must(graph.add(conv, {x, weight, bias}, name, name));
}

/// Three convolutions on 8 x 8: 4 -> 8 -> 16 -> 4 channels.
struct Chain {
  Graph graph;
  Chain() {
    const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 4, 8, 8}});
    const ValueId a = addConv(graph, x, 8, 3, "a");
    const ValueId b = addConv(graph, a, 16, 3, "b");
    const ValueId c = addConv(graph, b, 4, 1, "c");
    NARROWS_ASSERT(graph.setOutputs({c}).ok());
  }
};

GroupDesign designFor(std::size_t devices, std::vector<GroupStage> stages) {
  GroupDesign design;
  for (std::size_t d = 0; d < devices; ++d) design.devices.push_back({fmt::format("d{}", d)});
  design.source = DeviceId(0);
  design.sink = DeviceId(0);
  design.stages = std::move(stages);
  return design;
}

std::vector<DeviceId> firstDevices(std::size_t count) {
  std::vector<DeviceId> devices;
  for (std::size_t d = 0; d < count; ++d) devices.emplace_back(d);
  return devices;
}

/// Elements that move between devices.
std::int64_t traffic(const Plan& plan) {
  std::int64_t elements = 0;
  for (const Transfer& transfer : plan.transfers) {
    if (plan.deviceOf(transfer.source, true) == plan.deviceOf(transfer.destination, false))
      continue;
    elements += transfer.from.elements();
  }
  return elements;
}

std::int64_t parameters(const SplitModel& split) {
  std::int64_t total = 0;
  for (const Graph& piece : split.pieces) total += cost(piece).parameters;
  return total;
}

std::int64_t totalMacs(const SplitModel& split) {
  std::int64_t total = 0;
  for (const Graph& piece : split.pieces) total += cost(piece).macs;
  return total;
}

TEST(IntervalsOf, CoverTheExtentInProportion) {
  using Interval = Region::Interval;
  EXPECT_EQ(intervalsOf(7, std::vector<double>{1, 1}), (std::vector<Interval>{{0, 3}, {3, 7}}));
  EXPECT_EQ(intervalsOf(10, std::vector<double>{3, 0, 2}),
            (std::vector<Interval>{{0, 6}, {6, 6}, {6, 10}}));
  EXPECT_EQ(intervalsOf(2, std::vector<double>{1, 1, 1, 1}),
            (std::vector<Interval>{{0, 0}, {0, 1}, {1, 1}, {1, 2}}));
  EXPECT_EQ(intervalsOf(5, std::vector<double>{1, 0}), (std::vector<Interval>{{0, 5}, {5, 5}}));
}

TEST(BuildGroupPlan, SlicesOfFiltersHoldTheirOwnWeightsAndMoveAsPublished) {
  const Chain chain;
  const std::vector<double> even(2, 1.0);
  auto split = buildGroupPlan(chain.graph, designFor(2, {{1, FilterStage{even, firstDevices(2)}},
                                                         {2, WholeStage{DeviceId(0)}},
                                                         {3, WholeStage{DeviceId(0)}}}));
  ASSERT_TRUE(split.ok()) << split.error().message;
  EXPECT_EQ(parameters(*split), cost(chain.graph).parameters);
  EXPECT_EQ(totalMacs(*split), cost(chain.graph).macs);
  // Stahl et al. 2019: M (N - 1) + K (N - 1) / N, with M = 4 * 64, K = 8 * 64, N = 2.
  EXPECT_EQ(traffic(split->plan), 256 + 256);
}

TEST(BuildGroupPlan, AFusedPairMovesNothingBetweenItsLayers) {
  const Chain chain;
  const std::vector<double> even(2, 1.0);
  auto split = buildGroupPlan(chain.graph, designFor(2, {{2, SumStage{even, firstDevices(2)}},
                                                         {3, WholeStage{DeviceId(0)}}}));
  ASSERT_TRUE(split.ok()) << split.error().message;
  EXPECT_EQ(parameters(*split), cost(chain.graph).parameters);
  EXPECT_EQ(totalMacs(*split), cost(chain.graph).macs);
  // First M (N - 1), second K (N - 1).
  EXPECT_EQ(traffic(split->plan), 256 + 1024);
}

TEST(BuildGroupPlan, TilesRecomputeTheirHalosAndAloneExchangeThem) {
  const Chain chain;
  const std::vector<double> two(2, 1.0);
  const std::vector<double> one(1, 1.0);
  const GridStage grid{two, one, firstDevices(2)};
  auto fused = buildGroupPlan(chain.graph, designFor(2, {{3, grid}}));
  ASSERT_TRUE(fused.ok()) << fused.error().message;
  // Device 1 makes 4 of 8 rows: its last layer reads 4, the one before 5, the first 6 rows.
  EXPECT_EQ(traffic(fused->plan), 4 * 6 * 8 + 4 * 4 * 8);
  EXPECT_GT(totalMacs(*fused), cost(chain.graph).macs);

  auto exchanged = buildGroupPlan(chain.graph, designFor(2, {{1, grid}, {2, grid}, {3, grid}}));
  ASSERT_TRUE(exchanged.ok()) << exchanged.error().message;
  EXPECT_EQ(totalMacs(*exchanged), cost(chain.graph).macs);
  // A row of x for the first tile of device 1, and a row of `a` each way.
  EXPECT_EQ(traffic(exchanged->plan), 4 * 5 * 8 + 2 * 8 * 8 + 4 * 4 * 8);
}

TEST(BuildGroupPlan, EmptyTilesHaveNoPiece) {
  const Chain chain;
  const std::vector<double> many(11, 1.0);
  const std::vector<double> one(1, 1.0);
  std::vector<DeviceId> devices(11, DeviceId(0));
  auto split = buildGroupPlan(chain.graph, designFor(1, {{3, GridStage{many, one, devices}}}));
  ASSERT_TRUE(split.ok()) << split.error().message;
  EXPECT_EQ(split->plan.pieces.size(), 8u);  // rows
}

TEST(BuildGroupPlan, WeightsShapeTheTiles) {
  const Chain chain;
  auto split =
      buildGroupPlan(chain.graph, designFor(2, {{3, GridStage{{3, 1}, {1}, firstDevices(2)}}}));
  ASSERT_TRUE(split.ok()) << split.error().message;
  EXPECT_EQ(split->plan.pieces[0].outputs[0].type.shape, (Shape{1, 4, 6, 8}));
  EXPECT_EQ(split->plan.pieces[1].outputs[0].type.shape, (Shape{1, 4, 2, 8}));
}

std::string errorOf(const Graph& graph, const GroupDesign& design) {
  auto split = buildGroupPlan(graph, design);
  return split.ok() ? "" : split.error().message;
}

TEST(BuildGroupPlan, RefusesDesignsThatDoNotCoverTheNetwork) {
  const Chain chain;
  const std::vector<double> even(2, 1.0);
  EXPECT_EQ(errorOf(chain.graph, designFor(1, {{2, WholeStage{DeviceId(0)}}})),
            "group plan: stages: the last one ends at node 2 of 3");
  EXPECT_EQ(errorOf(chain.graph, designFor(1, {{3, WholeStage{DeviceId(4)}}})),
            "group plan: stages[0]: devices: no such device");
  EXPECT_EQ(errorOf(chain.graph, designFor(2, {{3, SumStage{even, firstDevices(2)}}})),
            "group plan: output \"c\" is left as partial sums; a stage has to follow");
  EXPECT_EQ(errorOf(chain.graph, designFor(1, {{3, FilterStage{{0}, firstDevices(1)}}})),
            "group plan: stages[0]: shares: no part has any");
  EXPECT_EQ(errorOf(chain.graph, designFor(2, {{3, GridStage{{1, 1}, {1}, firstDevices(1)}}})),
            "group plan: stages[0]: devices: 1 for a grid of 2 x 1");
}

}  // namespace
}  // namespace narrows
