#include "narrows/planner/memory_planner.h"

#include <gtest/gtest.h>

#include "narrows/graph/liveness.h"
#include "narrows/graph/passes.h"
#include "narrows/zoo/zoo.h"

namespace narrows {
namespace {

Graph networkOf(const char* name) {
  auto model = buildZooModel(name, 1, false);
  NARROWS_ASSERT(model.ok());
  auto graph = simplify(model->graph);
  NARROWS_ASSERT(graph.ok());
  return std::move(*graph);
}

DeviceGroup oneBoard() {
  auto group = parseDeviceGroup("[[device]]\nname = \"board\"\n", "test");
  NARROWS_ASSERT(group.ok());
  return std::move(*group);
}

TEST(PlanWithinMemory, KeepsItsPeakAndReachesTheWholeNetworkWithEnough) {
  for (const char* name : {"zoo:vgg16", "zoo:yolov2@416", "zoo:resnet18", "zoo:mobilenetv2"}) {
    const Graph graph = networkOf(name);
    double before = 0;
    for (const double memory : {8e6, 48e6, 64e6, 1e9}) {
      auto planning = planWithinMemory(graph, oneBoard(), {memory, 100e6});
      if (!planning.ok()) {
        fmt::print("{} in {:.0f} MB: {}\n", name, memory / 1e6, planning.error().message);
        EXPECT_EQ(before, 0) << "less memory was enough";
        continue;
      }
      fmt::print(
          "{} in {:.0f} MB: {} stages, {} pieces, peak {:.1f} MB, {:.2f} s against {:.2f} s, "
          "{:.1f} MB read\n",
          name, memory / 1e6, planning->design.stages.size(), planning->split.pieces.size(),
          static_cast<double>(planning->peak) / 1e6, planning->time.value(),
          planning->floor.value(), static_cast<double>(planning->weight_bytes) / 1e6);
      EXPECT_LE(static_cast<double>(planning->peak), memory) << name;
      EXPECT_LE(planning->time.value(), before > 0 ? before * 1.05 : 1e9) << name;
      before = planning->time.value();
    }
    // With enough memory the network is one piece and nothing is read twice.
    auto whole = planWithinMemory(graph, oneBoard(), {1e10, 100e6});
    ASSERT_TRUE(whole.ok()) << whole.error().message;
    EXPECT_EQ(whole->split.pieces.size(), 1u);
    // Weights are read while others are multiplied.
    EXPECT_LT(whole->time.value(), whole->floor.value());
    EXPECT_GE(whole->time.value(), static_cast<double>(whole->weight_bytes) / 100e6);
  }
}

TEST(PlanWithinMemory, SaysWhichLayerIsTooLarge) {
  auto planning = planWithinMemory(networkOf("zoo:vgg16"), oneBoard(), {1e5, 100e6});
  ASSERT_FALSE(planning.ok());
  EXPECT_NE(planning.error().message.find("conv1_1"), std::string::npos)
      << planning.error().message;
}

}  // namespace
}  // namespace narrows
