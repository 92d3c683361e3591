#include "narrows/plan/move.h"

#include <gtest/gtest.h>

#include "narrows/plan/split.h"

namespace narrows {
namespace {

const TensorType kMap{DType::f32, Shape{1, 2, 4, 4}};

/// a on d0 feeds b on d1 through an interface; b feeds c on d2 as it is.
Plan chain() {
  Plan plan;
  plan.devices = {{"d0"}, {"d1"}, {"d2"}};
  plan.inputs = {{"x", kMap}};
  plan.outputs = {{"y", kMap}};
  plan.pieces = {{"a", DeviceId(0), {{"x", kMap}}, {{"u", kMap}}},
                 {"b", DeviceId(1), {{"u", kMap}}, {{"v", kMap}}},
                 {"c", DeviceId(2), {{"v", kMap}}, {{"y", kMap}}}};
  const Region all = Region::whole(kMap.shape);
  FeatureInterface interface;
  interface.type = kMap;
  plan.interfaces = {interface};
  plan.transfers = {
      {{PieceId(), 0}, all, {PieceId(0), 0}, all, TransferMode::copy, {}},
      {{PieceId(0), 0}, all, {PieceId(1), 0}, all, TransferMode::copy, InterfaceId(0)},
      {{PieceId(1), 0}, all, {PieceId(2), 0}, all, TransferMode::copy, {}},
      {{PieceId(2), 0}, all, {PieceId(), 0}, all, TransferMode::copy, {}}};
  plan.source_device = DeviceId(0);
  plan.sink_device = DeviceId(2);
  return plan;
}

TEST(MoveDevices, TakesPiecesSourceAndSinkAlong) {
  const std::vector<DeviceId> to = {DeviceId(0), DeviceId(1), DeviceId(1)};
  const auto moved = moveDevices(chain(), to);
  ASSERT_TRUE(moved.ok()) << moved.error().message;
  EXPECT_EQ(moved->pieces[2].device, DeviceId(1));
  EXPECT_EQ(moved->sink_device, DeviceId(1));
  EXPECT_EQ(moved->source_device, DeviceId(0));
  EXPECT_EQ(moved->devices.size(), 3u);
  EXPECT_TRUE(moved->transfers[1].interface.valid());
}

TEST(MoveDevices, DropsAnInterfaceThatIsNotCrossedAnyMore) {
  const std::vector<DeviceId> to = {DeviceId(1), DeviceId(1), DeviceId(2)};
  const auto moved = moveDevices(chain(), to);
  ASSERT_TRUE(moved.ok()) << moved.error().message;
  EXPECT_TRUE(moved->interfaces.empty());
  EXPECT_FALSE(moved->transfers[1].interface.valid());
  EXPECT_TRUE(checkPlan(*moved).ok());
}

TEST(MoveDevices, NamesNoStandbys) {
  Plan plan = chain();
  plan.devices[2].standby = DeviceId(0);
  const std::vector<DeviceId> to = {DeviceId(0), DeviceId(2), DeviceId(2)};
  const auto moved = moveDevices(plan, to);
  ASSERT_TRUE(moved.ok()) << moved.error().message;
  for (const Device& device : moved->devices) EXPECT_FALSE(device.standby.valid());
}

TEST(TakeOver, GoesToTheStandbyOrElseToTheLeastLoaded) {
  Plan plan = chain();
  const std::vector<std::int64_t> work = {10, 30, 20};
  auto to = takeOver(plan, work, {true, false, true});
  ASSERT_TRUE(to.ok());
  EXPECT_EQ(*to, (std::vector<DeviceId>{DeviceId(0), DeviceId(0), DeviceId(2)}));
  plan.devices[1].standby = DeviceId(2);
  to = takeOver(plan, work, {true, false, true});
  ASSERT_TRUE(to.ok());
  EXPECT_EQ(*to, (std::vector<DeviceId>{DeviceId(0), DeviceId(2), DeviceId(2)}));
  // The standby is lost as well.
  to = takeOver(plan, work, {true, false, false});
  ASSERT_TRUE(to.ok());
  EXPECT_EQ(*to, (std::vector<DeviceId>{DeviceId(0), DeviceId(0), DeviceId(0)}));
  EXPECT_FALSE(takeOver(plan, work, {false, false, false}).ok());
}

TEST(MoveDevices, RefusesPlacesThatAreNone) {
  EXPECT_FALSE(moveDevices(chain(), std::vector<DeviceId>{DeviceId(0)}).ok());
  const std::vector<DeviceId> beyond = {DeviceId(0), DeviceId(1), DeviceId(3)};
  EXPECT_FALSE(moveDevices(chain(), beyond).ok());
}

}  // namespace
}  // namespace narrows
