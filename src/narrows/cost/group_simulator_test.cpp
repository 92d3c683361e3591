#include "narrows/cost/group_simulator.h"

#include <gtest/gtest.h>

namespace narrows {
namespace {

constexpr std::int64_t kElements = 250'000;  // a million bytes

Port port(std::string name) {
  return {std::move(name), {DType::f32, Shape{1, kElements}}};
}

/// x -> "a" on device 0 -> "b" on device 1 -> back to device 0.
Plan chainPlan() {
  Plan plan;
  plan.devices = {{"d0"}, {"d1"}};
  plan.source_device = plan.sink_device = DeviceId(0);
  plan.inputs = {port("x")};
  plan.outputs = {port("y")};
  plan.pieces = {{"a", DeviceId(0), {port("x")}, {port("h")}},
                 {"b", DeviceId(1), {port("h")}, {port("y")}}};
  const Region whole = Region::whole(Shape{1, kElements});
  plan.transfers = {{{PieceId(), 0}, whole, {PieceId(0), 0}, whole, TransferMode::copy, {}},
                    {{PieceId(0), 0}, whole, {PieceId(1), 0}, whole, TransferMode::copy, {}},
                    {{PieceId(1), 0}, whole, {PieceId(), 0}, whole, TransferMode::copy, {}}};
  return plan;
}

/// Pieces "a" on device 0 and "b" on device 1 read halves of x; "c" on 2 reads `a`, "e" on 3 `b`.
Plan crossPlan() {
  Plan plan;
  plan.devices = {{"d0"}, {"d1"}, {"d2"}, {"d3"}};
  plan.source_device = DeviceId(0);
  plan.sink_device = DeviceId(2);
  plan.inputs = {port("x")};
  plan.outputs = {port("y"), port("z")};
  plan.pieces = {{"a", DeviceId(0), {}, {port("h")}},
                 {"b", DeviceId(1), {}, {port("g")}},
                 {"c", DeviceId(2), {port("h")}, {port("y")}},
                 {"e", DeviceId(3), {port("g")}, {port("z")}}};
  const Region whole = Region::whole(Shape{1, kElements});
  plan.transfers = {{{PieceId(0), 0}, whole, {PieceId(2), 0}, whole, TransferMode::copy, {}},
                    {{PieceId(1), 0}, whole, {PieceId(3), 0}, whole, TransferMode::copy, {}},
                    {{PieceId(2), 0}, whole, {PieceId(), 0}, whole, TransferMode::copy, {}},
                    {{PieceId(3), 0}, whole, {PieceId(), 1}, whole, TransferMode::copy, {}}};
  return plan;
}

DeviceGroup groupOf(std::size_t devices, std::string_view medium) {
  auto group = parseDeviceGroup(
      fmt::format("medium = \"{}\"\nlink = \"8Mbit/s\"\n[[device]]\nname = \"d\"\ncount = {}\n",
                  medium, devices),
      "test");
  NARROWS_ASSERT(group.ok());
  return std::move(*group);
}

std::vector<PieceCost> costsOf(std::initializer_list<double> seconds) {
  std::vector<PieceCost> costs;
  for (const double time : seconds) {
    PieceCost cost;
    cost.time = Seconds(time);
    cost.weights = 100;
    cost.activations = 10;
    costs.push_back(cost);
  }
  return costs;
}

TEST(SimulateGroup, AChainTakesItsPartsOneAfterAnother) {
  const DeviceGroup group = groupOf(2, "switched");
  const double message = groupMessageTime(group, 0, 1, Bytes(1e6)).arrival().value();
  EXPECT_NEAR(message, 1.05, 0.01);  // a million bytes at 8 Mbit/s and what packets add
  const auto costs = costsOf({1, 2});
  auto simulation = simulateGroup(group, chainPlan(), costs);
  ASSERT_TRUE(simulation.ok()) << simulation.error().message;
  EXPECT_NEAR(simulation->latency.value(), 3 + 2 * message, 1e-9);
  EXPECT_EQ(simulation->traffic.value(), 2e6);
  EXPECT_EQ(simulation->devices[1].compute.value(), 2);
  EXPECT_EQ(simulation->devices[1].received.value(), 1e6);
  EXPECT_EQ(simulation->devices[1].memory(), 110u);
  ASSERT_EQ(simulation->timeline.size(), 4u);
  EXPECT_EQ(simulation->timeline[1].to, 1u);
  EXPECT_NEAR(simulation->timeline[2].start.value(), 1 + message, 1e-9);
  // 5.25 W for a second and 2.25 W for the rest.
  ASSERT_TRUE(simulation->devices[0].energy.has_value());
  EXPECT_NEAR(simulation->devices[0].energy->value(), 5.25 + 2.25 * (2 + 2 * message), 1e-9);
}

TEST(SimulateGroup, FramesOnTheirWayKeepTheBusiestDeviceBusy) {
  const DeviceGroup group = groupOf(2, "switched");
  const auto costs = costsOf({1, 2});
  SimulationOptions options;
  options.frames = 50;
  options.in_flight = 4;
  auto simulation = simulateGroup(group, chainPlan(), costs, options);
  ASSERT_TRUE(simulation.ok()) << simulation.error().message;
  EXPECT_NEAR(simulation->period.value(), 2, 0.1);
  options.in_flight = 1;
  auto alone = simulateGroup(group, chainPlan(), costs, options);
  ASSERT_TRUE(alone.ok()) << alone.error().message;
  EXPECT_NEAR(alone->period.value(), alone->latency.value(), 1e-9);
}

TEST(SimulateGroup, ASharedMediumCarriesOneMessageAtATime) {
  const auto costs = costsOf({1, 1, 0, 0});
  const DeviceGroup switched = groupOf(4, "switched");
  const double message = groupMessageTime(switched, 0, 2, Bytes(1e6)).arrival().value();
  auto apart = simulateGroup(switched, crossPlan(), costs);
  ASSERT_TRUE(apart.ok()) << apart.error().message;
  EXPECT_NEAR(apart->latency.value(), 1 + 2 * message, 1e-9);
  auto together = simulateGroup(groupOf(4, "shared"), crossPlan(), costs);
  ASSERT_TRUE(together.ok()) << together.error().message;
  EXPECT_NEAR(together->latency.value(), 1 + 3 * message, 1e-9);
}

TEST(SimulateGroup, CountsWhatEveryTransferCarriesBeside) {
  SimulationOptions options;
  options.frame_overhead = Bytes(16);
  auto simulation = simulateGroup(groupOf(2, "switched"), chainPlan(), costsOf({1, 1}), options);
  ASSERT_TRUE(simulation.ok()) << simulation.error().message;
  EXPECT_EQ(simulation->traffic.value(), 2e6 + 32);
}

TEST(SimulateGroup, HandlingAMessageTakesBothProcessors) {
  const DeviceGroup group = groupOf(2, "switched");
  const auto costs = costsOf({1, 2});
  SimulationOptions options;
  options.handling = {Seconds(0.25), Seconds(0.5e-6)};  // 0.75 s at either end of a million bytes
  auto simulation = simulateGroup(group, chainPlan(), costs, options);
  ASSERT_TRUE(simulation.ok()) << simulation.error().message;
  const double message = groupMessageTime(group, 0, 1, Bytes(1e6)).arrival().value();
  EXPECT_NEAR(simulation->latency.value(), 3 + 2 * message + 4 * 0.75, 1e-9);
  EXPECT_NEAR(simulation->devices[0].coding.value(), 1.5, 1e-9);
  EXPECT_EQ(simulation->traffic.value(), 2e6);
}

TEST(SimulateGroup, RefusesPlansOfAnotherGroup) {
  EXPECT_FALSE(simulateGroup(groupOf(3, "switched"), chainPlan(), costsOf({1, 1})).ok());
  EXPECT_FALSE(simulateGroup(groupOf(2, "switched"), chainPlan(), costsOf({1})).ok());
}

std::string errorOf(std::string_view toml) {
  auto group = parseDeviceGroup(toml, "g.toml");
  return group.ok() ? "" : group.error().message;
}

TEST(ParseDeviceGroup, ReadsUnlikeDevices) {
  auto group = parseDeviceGroup(R"(
medium = "shared"
link = "wifi"
sink = "fast"
[[device]]
name = "slow"
speed = 0.5
memory = "64MiB"
[[device]]
name = "fast"
link = "1Gbit/s"
memory = "none"
)",
                                "g.toml");
  ASSERT_TRUE(group.ok()) << group.error().message;
  ASSERT_EQ(group->devices.size(), 2u);
  EXPECT_EQ(group->medium, GroupMedium::shared);
  EXPECT_EQ(group->source, 0u);
  EXPECT_EQ(group->sink, 1u);
  EXPECT_EQ(group->devices[0].memory, 67108864.0);
  EXPECT_FALSE(group->devices[1].memory.has_value());
  EXPECT_EQ(group->devices[0].link.name, "wifi");
  EXPECT_EQ(group->devices[1].link.up.value(), 1e9);
  EXPECT_NEAR(group->devices[1].model.rates->macs_per_s,
              2 * group->devices[0].model.rates->macs_per_s, 1);
}

TEST(ParseDeviceGroup, SaysWhereAFileIsWrong) {
  EXPECT_EQ(errorOf("link = \"wifi\"\n"), "g.toml: device: expected one or more [[device]] tables");
  EXPECT_EQ(errorOf("medium = \"hub\"\n[[device]]\n"),
            "g.toml:1: medium: expected \"switched\" or \"shared\"");
  EXPECT_EQ(errorOf("[[device]]\nname = \"a\"\nram = 3\n"),
            "g.toml:3: unknown key \"ram\"; known are name, profile, speed, memory, link, count");
  EXPECT_EQ(errorOf("[[device]]\nmemory = \"lots\"\n"),
            "g.toml:2: memory: expected a size such as \"512MB\", or \"none\"");
  EXPECT_EQ(errorOf("[[device]]\nname = \"a\"\n[[device]]\nname = \"a\"\n"),
            "g.toml:3: name: expected a new name, \"a\" is taken");
  EXPECT_EQ(errorOf("source = \"b\"\n[[device]]\nname = \"a\"\n"),
            "g.toml: source: there is no device \"b\"");
  EXPECT_EQ(errorOf("[[device]]\nspeed = -1\n"),
            "g.toml:2: speed: expected a number from 0.001 to 1000");
  EXPECT_NE(errorOf("[[device]\n"), "");
}

TEST(ParseByteCount, KnowsDecimalAndBinaryUnits) {
  EXPECT_EQ(parseByteCount("64MB"), 64e6);
  EXPECT_EQ(parseByteCount("1.5 GB"), 1.5e9);
  EXPECT_EQ(parseByteCount("48MiB"), 48.0 * 1048576);
  EXPECT_EQ(parseByteCount("1000"), 1000);
  EXPECT_EQ(parseByteCount("12 parsecs"), 0);
  EXPECT_EQ(parseByteCount("-3MB"), 0);
  EXPECT_EQ(parseByteCount("nan"), 0);
}

TEST(SimulateGroup, DevicesThatShareACoreGetEvenParts) {
  const DeviceGroup group = groupOf(4, "switched");
  const double message = groupMessageTime(group, 0, 2, Bytes(1e6)).arrival().value();
  const auto costs = costsOf({1, 3, 1, 1});
  SimulationOptions options;
  options.shared_cores = 1;
  auto simulation = simulateGroup(group, crossPlan(), costs, options);
  ASSERT_TRUE(simulation.ok()) << simulation.error().message;
  // "a" has half a core and ends at 2; "b" has 2 s of work left, of which it does as much while
  // a's message is on its way, and then shares the core with "c": the core is never idle before 5.
  const double b_end = 2 + message + 2 * (2 - message);
  EXPECT_NEAR(simulation->latency.value(), b_end + message + 1 + message, 1e-9);
  const auto ended = [&](std::size_t piece) {
    for (const TimelineEntry& entry : simulation->timeline) {
      if (!entry.to && entry.piece == PieceId(piece)) return entry.end.value();
    }
    return 0.0;
  };
  EXPECT_NEAR(ended(0), 2, 1e-9);
  EXPECT_NEAR(ended(1), b_end, 1e-9);
  EXPECT_NEAR(ended(2), 5, 1e-9);
}

TEST(SimulateGroup, EnoughSharedCoresAreLikeOwnOnes) {
  const DeviceGroup group = groupOf(4, "switched");
  const auto costs = costsOf({1, 3, 1, 1});
  SimulationOptions shared;
  shared.shared_cores = 4;
  shared.frames = 3;
  shared.in_flight = 2;
  SimulationOptions own = shared;
  own.shared_cores.reset();
  auto a = simulateGroup(group, crossPlan(), costs, shared);
  auto b = simulateGroup(group, crossPlan(), costs, own);
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_NEAR(a->latency.value(), b->latency.value(), 1e-9);
  EXPECT_NEAR(a->period.value(), b->period.value(), 1e-9);
  shared.shared_cores = 0;
  EXPECT_FALSE(simulateGroup(group, crossPlan(), costs, shared).ok());
}

}  // namespace
}  // namespace narrows
