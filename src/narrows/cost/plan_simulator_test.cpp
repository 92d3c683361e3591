#include "narrows/cost/plan_simulator.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "narrows/cost/profiles.h"
#include "narrows/cost/split_pricer.h"
#include "narrows/graph/cuts.h"
#include "narrows/zoo/zoo.h"

namespace narrows {
namespace {

constexpr unsigned kSeed = 23;

SplitSetting settingOf(const std::string& link, double answer) {
  SplitSetting setting;
  setting.node = *findDeviceModel("ncs2");
  setting.server = *findDeviceModel("gpu-server");
  setting.links = {*findLinkModel(link)};
  setting.answer = Bytes(answer);
  return setting;
}

class SimulatePlan : public testing::Test {
 protected:
  static const Graph& network() {
    static const Graph graph = buildZooModel("zoo:tiny-yolov3", 1, false)->graph;
    return graph;
  }
};

TEST_F(SimulatePlan, OneFrameGoesThroughItsStepsInTurn) {
  const SplitPricer splits = *SplitPricer::create(settingOf("wifi54", 200), network());
  auto pricers = splits.forCut(*findCut(network(), "pool3"), {});
  ASSERT_TRUE(pricers.ok()) << pricers.error().message;
  const std::vector<FrameCost> transfers =
      splits.transfers((*pricers)[0], Bytes(3000), milliseconds(2), milliseconds(1));
  auto simulation = simulatePlan((*pricers)[0], transfers, 1, 1);
  ASSERT_TRUE(simulation.ok()) << simulation.error().message;
  const Price& price = splits.price((*pricers)[0], Bytes(3000), milliseconds(2), milliseconds(1));
  const std::vector<Activity> expected{Activity::compute, Activity::encode,  Activity::message,
                                       Activity::decode,  Activity::compute, Activity::answer};
  ASSERT_EQ(simulation->timeline.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const TimelineEntry& entry = simulation->timeline[i];
    EXPECT_EQ(entry.activity, expected[i]) << i;
    const double before = i == 0 ? 0 : simulation->timeline[i - 1].end.value();
    EXPECT_EQ(entry.start.value(), before) << i;
  }
  EXPECT_NEAR(simulation->devices[0].compute.value(), price.devices[0].compute.value(), 1e-12);
  EXPECT_NEAR(simulation->devices[0].coding.value(), price.devices[0].coding.value(), 1e-12);
  EXPECT_NEAR(simulation->devices[1].coding.value(), price.devices[1].coding.value(), 1e-12);
  const TimelineEntry& message = simulation->timeline[2];
  EXPECT_EQ(message.to, 1u);
  EXPECT_EQ(message.bytes.value(), 3000);
  EXPECT_NEAR((message.end - message.start).value(), price.link_time.value(), 1e-12);
}

/// Two programs of one model: sums along the path, and events.
TEST_F(SimulatePlan, TakesThePricersLatencyAloneAndItsBottleneckInARow) {
  std::mt19937_64 random(kSeed);
  std::uniform_real_distribution<double> drawn(0, 1);
  for (const char* link : {"ble4", "lte-cat4", "wifi", "2Mbit/s"}) {
    for (const char* cut : {"pool1", "pool4", "conv5.leaky"}) {
      const double answer = drawn(random) < 0.3 ? 0 : 500 * drawn(random);
      const SplitPricer splits = *SplitPricer::create(settingOf(link, answer), network());
      auto pricers = splits.forCut(*findCut(network(), cut), {});
      ASSERT_TRUE(pricers.ok()) << pricers.error().message;
      PlanPricer& pricer = (*pricers)[0];
      const Bytes bytes(std::floor(60'000 * drawn(random)));
      const Seconds encode = milliseconds(30 * drawn(random));
      const Seconds decode = milliseconds(30 * drawn(random));
      const std::string what =
          fmt::format("{} {} {} B answer {} seed {}", link, cut, bytes.value(), answer, kSeed);
      const Price price = splits.price(pricer, bytes, encode, decode);
      const std::vector<FrameCost> transfers = splits.transfers(pricer, bytes, encode, decode);
      auto alone = simulatePlan(pricer, transfers, 1, 1);
      ASSERT_TRUE(alone.ok()) << alone.error().message;
      EXPECT_NEAR(alone->latency.value(), price.latency.value(), 1e-9 * price.latency.value())
          << what;
      constexpr std::size_t kFrames = 200;
      auto row = simulatePlan(pricer, transfers, kFrames, 4);
      ASSERT_TRUE(row.ok()) << row.error().message;
      EXPECT_GE(row->period.value(), price.bottleneck.value() * (1 - 1e-9)) << what;
      // The first frame passes every step alone.
      const double most = price.bottleneck.value() + price.latency.value() / kFrames;
      EXPECT_LE(row->period.value(), 1.02 * most) << what;
    }
  }
}

TEST_F(SimulatePlan, NothingCrossesWhenTheNodeDoesAll) {
  const SplitPricer splits = *SplitPricer::create(settingOf("wifi", 100), network());
  auto pricers = splits.onNode({});
  ASSERT_TRUE(pricers.ok()) << pricers.error().message;
  auto simulation = simulatePlan((*pricers)[0], splits.transfers((*pricers)[0], {}, {}, {}), 3, 2);
  ASSERT_TRUE(simulation.ok()) << simulation.error().message;
  ASSERT_EQ(simulation->timeline.size(), 3u);
  for (const TimelineEntry& entry : simulation->timeline)
    EXPECT_EQ(entry.activity, Activity::compute);
}

TEST_F(SimulatePlan, RefusesCostsOfAnotherPlan) {
  const SplitPricer splits = *SplitPricer::create(settingOf("wifi", 0), network());
  auto pricers = splits.forCut(*findCut(network(), "pool3"), {});
  ASSERT_TRUE(pricers.ok()) << pricers.error().message;
  const std::vector<FrameCost> one(1);
  const auto simulation = simulatePlan((*pricers)[0], one, 1, 1);
  ASSERT_FALSE(simulation.ok());
  EXPECT_NE(simulation.error().message.find("costs of 1 transfers"), std::string::npos);
}

}  // namespace
}  // namespace narrows
