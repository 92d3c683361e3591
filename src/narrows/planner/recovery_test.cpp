#include "narrows/planner/recovery.h"

#include <gtest/gtest.h>

#include "narrows/graph/passes.h"
#include "narrows/zoo/zoo.h"

namespace narrows {
namespace {

struct Planned {
  Graph graph;
  DeviceGroup group;
  GroupPlannerOptions options;
  PricedPlan plan;
};

/// Filters of all layers in slices over four boards.
Planned sliced() {
  auto model = buildZooModel("zoo:alexnet@96,width=0.25,classes=10", 1, false);
  NARROWS_ASSERT(model.ok());
  auto graph = simplify(model->graph);
  NARROWS_ASSERT(graph.ok());
  auto group = parseDeviceGroup(
      "link = \"100Mbit/s\"\n[[device]]\nname = \"pi\"\ncount = 4\nmemory = \"none\"\n", "test");
  NARROWS_ASSERT(group.ok());
  Planned planned{std::move(*graph), std::move(*group), {}, {}};
  auto design = publishedScheme(planned.graph, planned.group, 1, true, 2, 2);
  NARROWS_ASSERT(design.ok());
  auto priced = priceDesign(planned.graph, planned.group, std::move(*design), planned.options);
  NARROWS_ASSERT(priced.ok());
  planned.plan = std::move(*priced);
  return planned;
}

TEST(DeviceLosses, SendTheLostWeightsToOneOther) {
  const Planned planned = sliced();
  const auto losses = deviceLosses(planned.graph, planned.group, planned.plan, planned.options);
  ASSERT_TRUE(losses.ok()) << losses.error().message;
  ASSERT_EQ(losses->size(), 4u);
  for (const DeviceLoss& loss : *losses) {
    SCOPED_TRACE(loss.device);
    EXPECT_NE(loss.heir, loss.device);
    const auto weights = static_cast<double>(planned.plan.simulation.devices[loss.device].weights);
    EXPECT_DOUBLE_EQ(loss.weights.value(), weights);
    // 100 Mbit/s and what framing takes; the coordinator's own device has them already.
    const double least = weights * 8 / 100e6;
    if (loss.device == 0 || loss.heir == 0) {
      EXPECT_EQ(loss.sending.value(), 0);
    } else {
      EXPECT_GT(loss.sending.value(), least);
      EXPECT_LT(loss.sending.value(), 1.2 * least + 0.01);
    }
    // Three devices do the work of four.
    EXPECT_GT(loss.latency.value(), 0);
    EXPECT_GT(loss.total(Seconds(1)).value(), 1 + loss.latency.value() - 1e-12);
  }
}

TEST(DeviceLosses, ReportTheMemoryThatTheHeirLacks) {
  Planned planned = sliced();
  const auto fits = deviceLosses(planned.graph, planned.group, planned.plan, planned.options);
  ASSERT_TRUE(fits.ok());
  for (const DeviceLoss& loss : *fits) EXPECT_EQ(loss.memory_missing, 0);
  // No device has room for more than its own share.
  for (std::size_t d = 0; d < planned.group.devices.size(); ++d) {
    planned.group.devices[d].memory =
        static_cast<double>(planned.plan.simulation.devices[d].memory());
  }
  const auto lacks = deviceLosses(planned.graph, planned.group, planned.plan, planned.options);
  ASSERT_TRUE(lacks.ok());
  for (const DeviceLoss& loss : *lacks) {
    const auto weights = static_cast<double>(planned.plan.simulation.devices[loss.device].weights);
    EXPECT_GT(loss.memory_missing, 0);
    EXPECT_LT(loss.memory_missing, 2 * weights + 1e7);
  }
}

TEST(NameStandbys, LeavesNothingToSend) {
  Planned planned = sliced();
  nameStandbys(planned.plan);
  const Plan& plan = planned.plan.split.plan;
  for (std::size_t d = 0; d < plan.devices.size(); ++d) {
    ASSERT_TRUE(plan.devices[d].standby.valid());
    EXPECT_NE(plan.devices[d].standby.index(), d);
  }
  EXPECT_TRUE(checkPlan(plan).ok());
  const auto losses = deviceLosses(planned.graph, planned.group, planned.plan, planned.options);
  ASSERT_TRUE(losses.ok()) << losses.error().message;
  for (const DeviceLoss& loss : *losses) {
    EXPECT_EQ(DeviceId(loss.heir), plan.devices[loss.device].standby);
    EXPECT_EQ(loss.weights.value(), 0);
    EXPECT_EQ(loss.sending.value(), 0);
  }
}

}  // namespace
}  // namespace narrows
