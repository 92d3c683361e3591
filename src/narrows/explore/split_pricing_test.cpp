#include "narrows/explore/split_pricing.h"

#include <gtest/gtest.h>

#include <ctime>

#include "narrows/cost/profiles.h"
#include "narrows/zoo/zoo.h"
#include "tests/support/figure.h"

namespace narrows {
namespace {

double processorSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

/// Tiny YOLOv3 at 416 between a Raspberry Pi and a GPU over four links.
class SplitPricingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto model = buildZooModel("zoo:tiny-yolov3", 1, false);
    ASSERT_TRUE(model.ok());
    graph_ = model->graph;
    for (const char* name : {"pool1", "pool2", "pool3", "pool4"}) {
      auto cut = findCut(graph_, name);
      ASSERT_TRUE(cut.ok());
      cuts_.push_back(*cut);
    }
    SplitSetting setting;
    setting.node = *findDeviceModel("raspberry-pi4");
    setting.server = *findDeviceModel("gpu-server");
    for (const char* link : {"wifi", "ble4", "ble5", "lte-cat4"})
      setting.links.push_back(*findLinkModel(link));
    setting.answer = Bytes(200);
    setting.envelope = Bytes(400);
    auto pricer = SplitPricer::create(std::move(setting), graph_);
    ASSERT_TRUE(pricer.ok()) << pricer.error().message;
    pricer_.emplace(std::move(*pricer));
  }

  Graph graph_;
  std::vector<Cut> cuts_;
  std::optional<SplitPricer> pricer_;
};

TEST_F(SplitPricingTest, PartsOfALatencyAddUpToIt) {
  SplitPricing pricing(*pricer_, cuts_);
  for (std::size_t cut = 0; cut < cuts_.size(); ++cut) {
    const auto costs = pricing.price(cut, {}, Bytes(3000), milliseconds(2), milliseconds(1));
    ASSERT_TRUE(costs.ok()) << costs.error().message;
    ASSERT_EQ(costs->size(), 4u);
    for (const DesignCost& cost : *costs) {
      const Seconds sum = cost.node_compute + cost.coding + cost.link + cost.server_compute;
      EXPECT_NEAR(at(cost.scores, Objective::latency), sum.value(), 1e-12);
      EXPECT_EQ(at(cost.scores, Objective::bytes), 3000);
      EXPECT_NEAR(at(cost.scores, Objective::energy),
                  (cost.compute_energy + cost.coding_energy + cost.link_energy).value(), 1e-12);
    }
  }
}

TEST_F(SplitPricingTest, ManyDesignsASecond) {
  SplitPricing pricing(*pricer_, cuts_);
  constexpr std::size_t kFrames = 25'000;
  std::size_t designs = 0;
  double sum = 0;
  const double start = processorSeconds();
  for (std::size_t i = 0; i < kFrames; ++i) {
    const auto bytes = static_cast<double>(1000 + i % 5000);
    const auto costs = pricing.price(i % cuts_.size(), {}, Bytes(bytes),
                                     microseconds(static_cast<double>(i % 700)), milliseconds(1));
    ASSERT_TRUE(costs.ok()) << costs.error().message;
    designs += costs->size();
    for (const DesignCost& cost : *costs) sum += at(cost.scores, Objective::latency);
  }
  const double seconds = processorSeconds() - start;
  EXPECT_EQ(designs, 4 * kFrames);
  EXPECT_GT(sum, 0);
  test::recordFigure("designs_per_second", static_cast<double>(designs) / seconds, "designs/s");
}

}  // namespace
}  // namespace narrows
