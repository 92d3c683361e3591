#include "narrows/cli/automatic_cut.h"

#include <gtest/gtest.h>

#include "narrows/cost/profiles.h"
#include "narrows/graph/cuts.h"
#include "narrows/graph/passes.h"
#include "narrows/zoo/zoo.h"

namespace narrows {
namespace {

Graph tinyYolo() {
  auto model = buildZooModel("zoo:tiny-yolov3@256,classes=3,width=0.25", 1);
  EXPECT_TRUE(model.ok());
  auto simple = simplify(model->graph);
  EXPECT_TRUE(simple.ok());
  return std::move(*simple);
}

CostOptions over(const std::string& link) {
  CostOptions cost;
  cost.device = "raspberry-pi4";
  cost.server = "gpu-server";
  cost.links = {link};
  return cost;
}

TEST(AutomaticCut, IsTheOneOfLeastEnergyAmongAll) {
  const Graph graph = tinyYolo();
  for (const char* link : {"ble4", "ble5", "wifi", "ethernet"}) {
    for (const int bits : {0, 1, 8}) {
      const CostOptions cost = over(link);
      auto found = chooseAutomaticCut(graph, cost, {bits, 0, 1});
      ASSERT_TRUE(found.ok()) << found.error().message;
      auto pricer = DesignPricer::create(cost, graph);
      ASSERT_TRUE(pricer.ok());
      double least = 1e9;
      for (const Cut& cut : singleTensorCuts(graph)) {
        auto plans = pricer->splits().forCut(cut, {});
        ASSERT_TRUE(plans.ok());
        const auto elements = static_cast<double>(cutElements(graph, cut));
        const Price& price = pricer->splits().price(
            (*plans)[0], Bytes(elements * (bits == 0 ? 32 : bits) / 8), Seconds(), Seconds());
        least = std::min(least, price.devices[0].energy().value());
        if (cutName(graph, cut) == found->name) {
          EXPECT_DOUBLE_EQ(found->node_energy.value(), price.devices[0].energy().value());
        }
      }
      EXPECT_DOUBLE_EQ(found->node_energy.value(), least) << link << " " << bits;
    }
  }
}

TEST(AutomaticCut, LiesEarlierWhereAnAutoencoderMakesAllCutsAlike) {
  const Graph graph = tinyYolo();
  auto plain = chooseAutomaticCut(graph, over("ble4"), {8, 0, 1});
  auto coded = chooseAutomaticCut(graph, over("ble4"), {1, 4, 2});
  ASSERT_TRUE(plain.ok() && coded.ok());
  EXPECT_LT(coded->packed.value(), plain->packed.value());
  EXPECT_LT(coded->node_energy.value(), plain->node_energy.value());
}

TEST(AutomaticCut, NeedsADeviceWithAPower) {
  CostOptions cost = over("wifi");
  cost.device.clear();
  auto found = chooseAutomaticCut(tinyYolo(), cost, {1, 0, 1});
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().message,
            "--cut auto: --device is this host: expected a profile that states a power");
}

}  // namespace
}  // namespace narrows
