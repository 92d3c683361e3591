#include "narrows/graph/copy.h"

#include <gtest/gtest.h>

#include "narrows/graph/random_graph.h"

namespace narrows {
namespace {

ValueId addRelu(Graph& graph, ValueId x, std::string_view name) {
  auto y = graph.add(Unary{UnaryKind::relu}, {x}, name);
  NARROWS_ASSERT(y.ok());
  return *y;
}

TEST(GraphCopy, CopiesNamesTypesAndSharesConstants) {
  for (std::uint32_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Graph graph = randomGraph(seed);
    GraphCopy copy(graph);
    copy.addInputs();
    for (NodeId id : nodeIds(graph)) ASSERT_TRUE(copy.copyNode(id).ok());
    ASSERT_TRUE(copy.setOutputs(graph.outputs()).ok());
    const Graph same = std::move(copy).take();
    ASSERT_TRUE(verify(same).ok());
    ASSERT_EQ(same.nodeCount(), graph.nodeCount());
    for (const Value& value : graph.values()) {
      const ValueId twin = same.findValue(value.name);
      if (!twin.valid()) {
        EXPECT_TRUE(value.isConstant());
        continue;
      }
      EXPECT_EQ(same.type(twin), value.type);
      EXPECT_EQ(same.value(twin).constant, value.constant);
    }
  }
}

TEST(GraphCopy, AnOutputKeepsItsNameWhenItsNodeIsDropped) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{4}});
  const ValueId a = addRelu(graph, x, "a");
  auto y = graph.add(Identity{}, {a}, "y");
  ASSERT_TRUE(y.ok());
  ASSERT_TRUE(graph.setOutputs({*y}).ok());
  GraphCopy copy(graph);
  copy.addInputs();
  ASSERT_TRUE(copy.copyNode(NodeId(0)).ok());
  copy.map(*y, copy.at(a));
  ASSERT_TRUE(copy.setOutputs(graph.outputs()).ok());
  const Graph result = std::move(copy).take();
  EXPECT_EQ(result.nodeCount(), 1u);
  EXPECT_EQ(result.value(result.outputs()[0]).name, "y");
}

TEST(GraphCopy, AnOutputThatCannotTakeItsNameGetsAnIdentity) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{4}});
  const ValueId a = addRelu(graph, x, "a");
  const ValueId b = addRelu(graph, x, "b");
  const ValueId c = addRelu(graph, x, "c");
  ASSERT_TRUE(graph.setOutputs({a, b, c}).ok());
  GraphCopy copy(graph);
  copy.addInputs();
  ASSERT_TRUE(copy.copyNode(NodeId(0)).ok());
  copy.map(b, copy.at(a));  // the same value twice
  copy.map(c, copy.at(x));  // an input
  ASSERT_TRUE(copy.setOutputs(graph.outputs()).ok());
  const Graph result = std::move(copy).take();
  ASSERT_TRUE(verify(result).ok());
  ASSERT_EQ(result.outputs().size(), 3u);
  EXPECT_EQ(result.value(result.outputs()[0]).name, "a");
  EXPECT_EQ(result.value(result.outputs()[1]).name, "b");
  EXPECT_EQ(result.value(result.outputs()[2]).name, "c");
  EXPECT_EQ(result.nodeCount(), 3u);
}

}  // namespace
}  // namespace narrows
