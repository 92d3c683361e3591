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
    static const Graph kGraph = buildZooModel("zoo:tiny-yolov3", 1, false)->graph;
    return kGraph;
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

/// Envelope and exchange: 400 B more on the link, 2 + 3 ms and 10 + 20 ns for each byte of both.
TEST_F(SimulatePlan, MessagesPayForTheirEnvelopesAndTheirEnds) {
  SplitSetting setting = settingOf("2Mbit/s", 0);
  const SplitPricer plain = *SplitPricer::create(setting, network());
  setting.envelope = Bytes(400);
  setting.node->exchange = {milliseconds(2), Seconds(10e-9)};
  setting.server->exchange = {milliseconds(3), Seconds(20e-9)};
  const SplitPricer wrapped = *SplitPricer::create(setting, network());
  const Cut cut = *findCut(network(), "pool3");
  PlanPricer before = (*plain.forCut(cut, {}))[0];
  PlanPricer after = (*wrapped.forCut(cut, {}))[0];
  const Seconds encode = milliseconds(4);
  const Seconds decode = milliseconds(1);
  const Price& without = plain.price(before, Bytes(1000), encode, decode);
  const Price& price = wrapped.price(after, Bytes(1000), encode, decode);
  EXPECT_EQ(price.bytes.value(), 1000);
  EXPECT_EQ((price.bytes_on_link - without.bytes_on_link).value(), 400);
  EXPECT_NEAR((price.link_time - without.link_time).value(), 400 * 8 / 2e6, 1e-12);
  const double ends = 5e-3 + 1400 * 30e-9;
  EXPECT_NEAR((price.latency - without.latency).value(), ends + 400 * 8 / 2e6, 1e-12);
  EXPECT_NEAR((price.devices[0].coding - without.devices[0].coding).value(), 2e-3 + 1400 * 10e-9,
              1e-12);
  auto simulation =
      simulatePlan(after, wrapped.transfers(after, Bytes(1000), encode, decode), 1, 1);
  ASSERT_TRUE(simulation.ok()) << simulation.error().message;
  EXPECT_NEAR(simulation->latency.value(), price.latency.value(), 1e-9);
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
      const Price& price = splits.price(pricer, bytes, encode, decode);
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
