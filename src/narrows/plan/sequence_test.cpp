#include "narrows/plan/sequence.h"

#include <gtest/gtest.h>

#include "narrows/plan/group.h"

namespace narrows {
namespace {

/// conv 3x3 4 -> 8, conv 3x3 8 -> 16, conv 1x1 16 -> 4 on 8 x 8: maps of 1024, 2048, 4096 and 1024
/// bytes.
Graph chain() {
  Graph graph;
  const auto add = [&](ValueId x, std::int64_t channels, std::int64_t kernel, const char* name) {
    Conv2d conv;
    conv.window.kernel = {kernel, kernel};
    conv.window.pads = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
    const ValueId weight =
        graph.addConstant(std::string(name) + ".weight",
                          Tensor(DType::f32, Shape{channels, graph.shape(x)[1], kernel, kernel}));
    auto y = graph.add(conv, {x, weight}, name, name);
    NARROWS_ASSERT(y.ok());
    return *y;
  };
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 4, 8, 8}});
  const ValueId a = add(x, 8, 3, "a");
  const ValueId b = add(a, 16, 3, "b");
  const ValueId c = add(b, 4, 1, "c");
  NARROWS_ASSERT(graph.setOutputs({c}).ok());
  return graph;
}

GroupDesign onOne(std::vector<GroupStage> stages) {
  GroupDesign design;
  design.devices = {{"board"}};
  design.source = design.sink = DeviceId(0);
  design.stages = std::move(stages);
  return design;
}

TEST(Sequence, HoldsWhatIsStillReadAndNoMore) {
  // a whole; b in two tiles, each from five of a's eight rows; c whole.
  const GridStage tiles{{1, 1}, {1}, {DeviceId(0), DeviceId(0)}};
  const auto split = buildGroupPlan(
      chain(), onOne({{1, WholeStage{DeviceId(0)}}, {2, tiles}, {3, WholeStage{DeviceId(0)}}}));
  ASSERT_TRUE(split.ok()) << split.error().message;
  const auto sequence = Sequence::of(split->plan);
  ASSERT_TRUE(sequence.ok()) << sequence.error().message;
  ASSERT_EQ(sequence->pieces(), 4u);
  const std::size_t x = 1024, a = 2048, rows = 1280, tile = 2048, b = 4096, c = 1024;
  const auto expect = [&](std::size_t piece, std::size_t before, std::size_t during,
                          std::size_t after) {
    SCOPED_TRACE(piece);
    const Sequence::Held held = sequence->held(piece);
    EXPECT_EQ(held.before, before);
    EXPECT_EQ(held.during, during);
    EXPECT_EQ(held.after, after);
  };
  expect(0, x, x + a, a);
  // A tile's rows of a are copied; its result goes into b at once.
  expect(1, a, a + rows + tile, a + tile + b);
  expect(2, a + b, a + b + rows + tile, tile + b);
  expect(3, b, b + c, c);
}

TEST(Sequence, WantsOneDevice) {
  GroupDesign design = onOne({{1, WholeStage{DeviceId(0)}}, {3, WholeStage{DeviceId(1)}}});
  design.devices.push_back({"other"});
  const auto split = buildGroupPlan(chain(), design);
  ASSERT_TRUE(split.ok());
  const auto sequence = Sequence::of(split->plan);
  ASSERT_FALSE(sequence.ok());
  EXPECT_NE(sequence.error().message.find("2 devices"), std::string::npos);
}

}  // namespace
}  // namespace narrows
