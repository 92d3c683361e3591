#include "narrows/graph/cost.h"

#include <gtest/gtest.h>

#include <limits>

namespace narrows {
namespace {

ValueId must(Result<ValueId> value) {
  NARROWS_ASSERT(value.ok());
  return *value;
}

TEST(Cost, CountsAConvolutionOverItsOutput) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 6, 9, 7}});
  const ValueId w = graph.addConstant("w", Tensor(DType::f32, Shape{4, 3, 3, 5}));
  const ValueId b = graph.addConstant("b", Tensor(DType::f32, Shape{4}));
  Conv2d conv;
  conv.window.kernel = {3, 5};
  conv.window.stride = {2, 1};
  conv.groups = 2;
  const ValueId y = must(graph.add(conv, {x, w, b}));
  ASSERT_TRUE(graph.setOutputs({y}).ok());
  EXPECT_EQ(graph.shape(y), (Shape{1, 4, 4, 3}));
  EXPECT_EQ(macs(graph, NodeId(0)), 4 * 4 * 3 * 3 * 3 * 5);
  EXPECT_EQ(cost(graph).parameters, 4 * 3 * 3 * 5 + 4);
  EXPECT_EQ(cost(graph).activations, 4 * 4 * 3);
}

TEST(Cost, CountsATransposedConvolutionOverItsInput) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 4, 5, 6}});
  const ValueId w = graph.addConstant("w", Tensor(DType::f32, Shape{4, 3, 2, 2}));
  ConvTranspose2d conv;
  conv.window.kernel = {2, 2};
  conv.window.stride = {2, 2};
  conv.groups = 2;
  must(graph.add(conv, {x, w}));
  EXPECT_EQ(macs(graph, NodeId(0)), 4 * 5 * 6 * 3 * 2 * 2);
}

TEST(Cost, CountsMatrixProducts) {
  Graph graph;
  const ValueId a = graph.addInput("a", {DType::f32, Shape{7, 3}});
  const ValueId b = graph.addConstant("b", Tensor(DType::f32, Shape{5, 7}));
  must(graph.add(Gemm{true, true, 1, 1}, {a, b}));
  EXPECT_EQ(macs(graph, NodeId(0)), 3 * 5 * 7);
  const ValueId p = graph.addInput("p", {DType::f32, Shape{2, 1, 4, 6}});
  const ValueId q = graph.addInput("q", {DType::f32, Shape{3, 6, 5}});
  must(graph.add(MatMul{}, {p, q}));
  EXPECT_EQ(macs(graph, NodeId(1)), 2 * 3 * 4 * 5 * 6);
}

TEST(Cost, SharedConstantsCountOnceAndStatisticsNot) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 4, 2, 2}});
  const ValueId w = graph.addConstant("w", Tensor(DType::f32, Shape{4, 4, 1, 1}));
  const auto vector = [&] { return graph.addConstant("v", Tensor(DType::f32, Shape{4})); };
  const ValueId y = must(graph.add(Conv2d{}, {x, w}));
  const ValueId z = must(graph.add(Conv2d{}, {y, w}));
  const ValueId n = must(graph.add(BatchNorm{}, {z, vector(), vector(), vector(), vector()}));
  const ValueId index = graph.addConstant("i", Tensor::from<std::int64_t>(Shape{2}, {0, 1}));
  must(graph.add(Gather{1}, {n, index}));
  EXPECT_EQ(cost(graph).parameters, 16 + 8);
  EXPECT_EQ(cost(graph).macs, 2 * 4 * 4 * 4);
  EXPECT_EQ(cost(graph, NodeId(2)).macs, 0);
}

TEST(Cost, SingleNumbersInArithmeticAreNoParameters) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 4, 2, 2}});
  const ValueId factor = graph.addConstant("factor", Tensor::scalar(0.5F));
  const ValueId scales = graph.addConstant("scales", Tensor(DType::f32, Shape{4, 1, 1}));
  const ValueId y = must(graph.add(Binary{BinaryKind::mul}, {x, factor}));
  must(graph.add(Binary{BinaryKind::mul}, {y, scales}));
  EXPECT_EQ(cost(graph).parameters, 4);
  // A bias of one channel is a parameter.
  const ValueId w = graph.addConstant("w", Tensor(DType::f32, Shape{1, 4, 1, 1}));
  const ValueId b = graph.addConstant("b", Tensor(DType::f32, Shape{1}));
  must(graph.add(Conv2d{}, {y, w, b}));
  EXPECT_EQ(cost(graph).parameters, 4 + 4 + 1);
}

TEST(Cost, SaturatesInsteadOfOverflowing) {
  Graph graph;
  const std::int64_t huge = std::int64_t{1} << 20;
  const ValueId a = graph.addInput("a", {DType::f32, Shape{huge, huge}});
  const ValueId b = graph.addInput("b", {DType::f32, Shape{huge, huge}});
  const ValueId c = must(graph.add(MatMul{}, {a, b}));
  EXPECT_EQ(macs(graph, NodeId(0)), std::int64_t{1} << 60);
  for (int i = 0; i < 10; ++i) must(graph.add(MatMul{}, {c, b}));
  EXPECT_EQ(cost(graph).macs, std::numeric_limits<std::int64_t>::max());
}

}  // namespace
}  // namespace narrows
