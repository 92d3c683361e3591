#include "narrows/plan/split.h"

#include <gtest/gtest.h>

#include "narrows/graph/random_graph.h"

namespace narrows {
namespace {

/// x -> a -> b -> y with a skip from a to y.
struct Net {
  Graph graph;
  Net() {
    const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 3, 4, 4}});
    auto a = graph.add(Unary{UnaryKind::relu}, {x}, "a");
    auto b = graph.add(Unary{UnaryKind::exp}, {*a}, "b");
    auto y = graph.add(Binary{BinaryKind::add}, {*a, *b}, "y");
    NARROWS_ASSERT(graph.setOutputs({*y}).ok());
  }
  Cut cut(std::string_view names) const {
    auto found = findCut(graph, names);
    NARROWS_ASSERT(found.ok());
    return *std::move(found);
  }
};

std::vector<FeatureInterface> plainInterfaces(const Graph& graph, const Cut& cut) {
  std::vector<FeatureInterface> interfaces;
  for (ValueId value : cut.values) interfaces.push_back(plainInterface(graph.type(value)));
  return interfaces;
}

TEST(SplitAt, GivesANodePieceAndAServerPiece) {
  const Net net;
  const Cut cut = net.cut("a");
  auto split = splitAt(net.graph, cut, plainInterfaces(net.graph, cut));
  ASSERT_TRUE(split.ok()) << split.error().message;
  const Plan& plan = split->plan;
  ASSERT_EQ(plan.pieces.size(), 2u);
  EXPECT_EQ(plan.pieces[0].name, "node");
  EXPECT_EQ(plan.pieces[1].name, "server");
  EXPECT_EQ(split->pieces[0].nodeCount(), 1u);
  EXPECT_EQ(split->pieces[1].nodeCount(), 2u);
  EXPECT_EQ(plan.transfers.size(), 3u);
  EXPECT_EQ(plan.interfaces.size(), 1u);
  EXPECT_EQ(plan.devices[plan.source_device.index()].name, "node");
  EXPECT_EQ(plan.devices[plan.sink_device.index()].name, "server");
}

TEST(SplitAt, SendsEachTensorOfACutThroughItsOwnInterface) {
  const Net net;
  const Cut cut = net.cut("a+b");
  auto split = splitAt(net.graph, cut, plainInterfaces(net.graph, cut));
  ASSERT_TRUE(split.ok()) << split.error().message;
  EXPECT_EQ(split->plan.interfaces.size(), 2u);
  EXPECT_EQ(split->plan.pieces[1].inputs.size(), 2u);
  EXPECT_EQ(split->pieces[1].nodeCount(), 1u);
}

TEST(SplitAt, ASideWithNothingToComputeHasNoPiece) {
  const Net net;
  const Cut begin = net.cut("x");
  auto server = splitAt(net.graph, begin, plainInterfaces(net.graph, begin));
  ASSERT_TRUE(server.ok()) << server.error().message;
  ASSERT_EQ(server->plan.pieces.size(), 1u);
  EXPECT_EQ(server->plan.pieces[0].name, "server");
  const Cut end = net.cut("y");
  auto node = splitAt(net.graph, end, plainInterfaces(net.graph, end));
  ASSERT_TRUE(node.ok()) << node.error().message;
  ASSERT_EQ(node->plan.pieces.size(), 1u);
  EXPECT_EQ(node->plan.pieces[0].name, "node");
}

TEST(SplitAt, RefusesInterfacesOfAnotherCountOrType) {
  const Net net;
  const Cut cut = net.cut("a");
  EXPECT_EQ(splitAt(net.graph, cut, {}).error().message, "0 interfaces for a cut of 1 tensors");
  auto wrong = splitAt(net.graph, cut, {plainInterface({DType::f32, Shape{1, 3, 4, 5}})});
  EXPECT_EQ(wrong.error().message,
            "the interface of \"a\" is made for f32 1x3x4x5, the tensor is f32 1x3x4x4");
}

TEST(AllOnServer, SendsThePicture) {
  const Net net;
  auto split = allOnServer(net.graph, {ImageCoding::jpeg, 80});
  ASSERT_TRUE(split.ok()) << split.error().message;
  ASSERT_EQ(split->plan.pieces.size(), 1u);
  EXPECT_EQ(split->plan.pieces[0].name, "server");
  EXPECT_EQ(split->pieces[0].nodeCount(), 3u);
  EXPECT_TRUE(std::holds_alternative<ImageInterface>(split->plan.interfaces[0]));
}

TEST(AllOnServer, RefusesAModelThatTakesNoPicture) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 8}});
  auto y = graph.add(Unary{UnaryKind::relu}, {x}, "y");
  ASSERT_TRUE(graph.setOutputs({*y}).ok());
  EXPECT_EQ(allOnServer(graph, {}).error().message, "input \"x\" is 1x8; a picture is 1x3xHxW");
}

TEST(AllOnNode, HasNothingThatCrosses) {
  const Net net;
  auto split = allOnNode(net.graph);
  ASSERT_TRUE(split.ok()) << split.error().message;
  EXPECT_EQ(split->plan.devices.size(), 1u);
  EXPECT_TRUE(split->plan.interfaces.empty());
  for (const Transfer& transfer : split->plan.transfers) {
    EXPECT_FALSE(transfer.interface.valid());
  }
}

TEST(SplitAt, EveryCutOfARandomGraphGivesAValidPlan) {
  std::size_t checked = 0;
  for (std::uint32_t seed = 0; seed < 80; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Graph graph = randomGraph(seed, {12, 1 + seed % 3 / 2, 10, true});
    for (const Cut& cut : multiTensorCuts(graph, {3, 100'000, 50}).cuts) {
      auto split = splitAt(graph, cut, plainInterfaces(graph, cut));
      ASSERT_TRUE(split.ok()) << cutName(graph, cut) << ": " << split.error().message;
      for (const Graph& piece : split->pieces) EXPECT_TRUE(verify(piece).ok());
      ++checked;
    }
  }
  EXPECT_GT(checked, 200u);
}

}  // namespace
}  // namespace narrows
