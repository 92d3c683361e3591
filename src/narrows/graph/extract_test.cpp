#include "narrows/graph/extract.h"

#include <gtest/gtest.h>

#include "narrows/graph/cuts.h"
#include "narrows/graph/random_graph.h"

namespace narrows {
namespace {

ValueId must(Result<ValueId> value) {
  NARROWS_ASSERT(value.ok());
  return *value;
}

/// x -> a -> b -> y, and a + b.
struct Skip {
  Graph graph;
  ValueId x, a, b, sum;
  Skip() {
    x = graph.addInput("x", {DType::f32, Shape{1, 2, 4, 4}});
    const ValueId w = graph.addConstant("w", Tensor(DType::f32, Shape{2, 2, 1, 1}));
    a = must(graph.add(Conv2d{}, {x, w}, "conv_a", "a"));
    b = must(graph.add(Conv2d{}, {a, w}, "conv_b", "b"));
    sum = must(graph.add(Binary{BinaryKind::add}, {a, b}, "add", "sum"));
    NARROWS_ASSERT(graph.setOutputs({sum}).ok());
  }
};

TEST(ExtractPiece, KeepsOnlyWhatIsNeededAndItsNames) {
  const Skip net;
  const ValueId inputs[] = {net.a};
  const ValueId outputs[] = {net.sum};
  auto piece = extractPiece(net.graph, inputs, outputs, "tail");
  ASSERT_TRUE(piece.ok()) << piece.error().message;
  ASSERT_TRUE(verify(*piece).ok());
  EXPECT_EQ(piece->name, "tail");
  EXPECT_EQ(piece->nodeCount(), 2u);
  EXPECT_EQ(piece->value(piece->inputs()[0]).name, "a");
  EXPECT_EQ(piece->value(piece->outputs()[0]).name, "sum");
  EXPECT_EQ(piece->node(NodeId(0)).name, "conv_b");
  EXPECT_EQ(piece->value(piece->findValue("w")).constant,
            net.graph.value(net.graph.findValue("w")).constant);
}

TEST(ExtractPiece, AValueThatIsGivenAndWantedPassesThrough) {
  const Skip net;
  const ValueId inputs[] = {net.a, net.b};
  const ValueId outputs[] = {net.b, net.sum};
  auto piece = extractPiece(net.graph, inputs, outputs, "tail");
  ASSERT_TRUE(piece.ok()) << piece.error().message;
  EXPECT_EQ(piece->nodeCount(), 1u);
  EXPECT_EQ(piece->outputs()[0], piece->inputs()[1]);
}

TEST(ExtractPiece, NamesTheInputThatIsMissing) {
  const Skip net;
  const ValueId inputs[] = {net.b};
  const ValueId outputs[] = {net.sum};
  auto piece = extractPiece(net.graph, inputs, outputs, "tail");
  ASSERT_FALSE(piece.ok());
  EXPECT_EQ(piece.error().message,
            "piece \"tail\": input \"x\" of the graph is needed and not among the given values");
}

TEST(ExtractPiece, RefusesAValueTwiceAndNoOutputs) {
  const Skip net;
  const ValueId twice[] = {net.a, net.a};
  const ValueId outputs[] = {net.sum};
  EXPECT_EQ(extractPiece(net.graph, twice, outputs, "p").error().message,
            "piece \"p\": value \"a\" is an input of the piece twice");
  EXPECT_EQ(extractPiece(net.graph, outputs, {}, "p").error().message, "piece \"p\": no outputs");
}

TEST(ExtractPiece, AGivenOutputOfASplitIsNotReplacedByTheSplit) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 4, 2, 2}});
  auto split = graph.addNode(Split{1, {1, 3}}, {x}, "split");
  ASSERT_TRUE(split.ok());
  const ValueId first = graph.node(*split).outputs[0];
  const ValueId second = graph.node(*split).outputs[1];
  const ValueId y = must(graph.add(Concat{1}, {first, second}, "y"));
  ASSERT_TRUE(graph.setOutputs({y}).ok());
  const ValueId inputs[] = {x, first};
  const ValueId outputs[] = {y};
  auto piece = extractPiece(graph, inputs, outputs, "p");
  ASSERT_TRUE(piece.ok()) << piece.error().message;
  ASSERT_TRUE(verify(*piece).ok());
  const NodeId concat = piece->value(piece->outputs()[0]).producer;
  EXPECT_EQ(piece->node(concat).inputs[0], piece->inputs()[1]);
}

TEST(ExtractPiece, TheWholeGraphIsAPieceOfItself) {
  for (std::uint32_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Graph graph = randomGraph(seed);
    auto piece = extractPiece(graph, graph.inputs(), graph.outputs(), "all");
    ASSERT_TRUE(piece.ok()) << piece.error().message;
    ASSERT_TRUE(verify(*piece).ok());
    EXPECT_LE(piece->nodeCount(), graph.nodeCount());
    ASSERT_EQ(piece->outputs().size(), graph.outputs().size());
    for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
      EXPECT_EQ(piece->value(piece->outputs()[i]).name, graph.value(graph.outputs()[i]).name);
      EXPECT_EQ(piece->type(piece->outputs()[i]), graph.type(graph.outputs()[i]));
    }
  }
}

TEST(ExtractPiece, TheSidesOfACutHoldEachNodeOnce) {
  std::size_t checked = 0;
  for (std::uint32_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Graph graph = randomGraph(seed);
    auto whole = extractPiece(graph, graph.inputs(), graph.outputs(), "whole");
    ASSERT_TRUE(whole.ok());
    for (const Cut& cut : multiTensorCuts(graph, {3, 20'000, 200}).cuts) {
      auto node = extractPiece(graph, graph.inputs(), cut.values, "node");
      auto server = extractPiece(graph, cut.values, graph.outputs(), "server");
      ASSERT_TRUE(node.ok()) << node.error().message;
      ASSERT_TRUE(server.ok()) << server.error().message;
      ASSERT_TRUE(verify(*node).ok());
      ASSERT_TRUE(verify(*server).ok());
      EXPECT_GT(node->nodeCount(), 0u);
      EXPECT_GT(server->nodeCount(), 0u);
      EXPECT_EQ(node->nodeCount() + server->nodeCount(), whole->nodeCount());
      ++checked;
    }
  }
  EXPECT_GT(checked, 500u);
}

}  // namespace
}  // namespace narrows
