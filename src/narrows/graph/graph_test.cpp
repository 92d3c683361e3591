#include "narrows/graph/graph.h"

#include <gtest/gtest.h>

namespace narrows {
namespace {

TEST(Graph, InfersTypesWhileItIsBuilt) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 3, 7, 9}});
  const ValueId w = graph.addConstant("w", Tensor(DType::f32, Shape{8, 3, 3, 3}));
  Conv2d conv;
  conv.window.kernel = {3, 3};
  conv.window.stride = {2, 2};
  conv.window.pads = {1, 1, 1, 1};
  auto y = graph.add(conv, {x, w}, "conv", "y");
  ASSERT_TRUE(y.ok()) << y.error().message;
  EXPECT_EQ(graph.shape(*y), (Shape{1, 8, 4, 5}));
  ASSERT_TRUE(graph.setOutputs({*y}).ok());
  EXPECT_TRUE(verify(graph).ok());
  EXPECT_EQ(graph.consumers(x).size(), 1u);
}

TEST(Graph, NamesTheNodeThatDoesNotFit) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 4, 7, 9}});
  const ValueId w = graph.addConstant("w", Tensor(DType::f32, Shape{8, 3, 3, 3}));
  Conv2d conv;
  conv.window.kernel = {3, 3};
  auto y = graph.add(conv, {x, w}, "stem");
  ASSERT_FALSE(y.ok());
  EXPECT_EQ(y.error().message,
            "node \"stem\" (conv2d): input 1x4x7x9, weight 8x3x3x3 and 1 groups do not fit");
}

TEST(Graph, KeepsNamesUnique) {
  Graph graph;
  const ValueId a = graph.addInput("x", {DType::f32, Shape{2}});
  auto b = graph.add(Unary{UnaryKind::relu}, {a}, "x", "x");
  ASSERT_TRUE(b.ok());
  EXPECT_EQ(graph.value(*b).name, "x_2");
  EXPECT_EQ(graph.findValue("x"), a);
}

}  // namespace
}  // namespace narrows
