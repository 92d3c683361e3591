#include "narrows/graph/half_weights.h"

#include <gtest/gtest.h>

#include "narrows/graph/passes.h"

namespace narrows::test {
namespace {

/// y = (x + a) * b + c: `a` and `b` of rank 2, `c` a vector.
Graph twoMatrices(float largest) {
  Graph graph;
  const ValueId x = graph.addInput("x", TensorType{DType::f32, Shape{10, 10}});
  const auto constant = [&](const char* name, Shape shape, float step) {
    Tensor tensor(TensorType{DType::f32, shape});
    float at = largest;
    for (float& value : tensor.mutableView().as<float>()) {
      value = at;
      at -= step;
    }
    return graph.addConstant(name, std::move(tensor));
  };
  const ValueId a = constant("a", Shape{10, 10}, 0.1F);
  const ValueId b = constant("b", Shape{6, 10}, 0.1F);
  const ValueId c = constant("c", Shape{100}, 0.1F);
  const ValueId sum = *graph.add(Binary{BinaryKind::add}, {x, a}, "sum");
  const ValueId wide =
      *graph.add(Concat{1}, {sum, *graph.add(Transpose{{1, 0}}, {b}, "turn")}, "y");
  EXPECT_TRUE(graph.setOutputs({wide, c}).ok());
  return graph;
}

TEST(HalfWeights, OnlyLargeMatricesAreHalvedAndTheNextTimeChangesNothing) {
  const Graph graph = twoMatrices(3);
  auto half = halveWeights(graph);
  ASSERT_TRUE(half.ok()) << half.error().message;
  ASSERT_TRUE(verify(*half).ok());
  EXPECT_EQ(half->type(half->findValue("a.half")).dtype, DType::f16);
  EXPECT_EQ(half->type(half->findValue("a")).dtype, DType::f32);
  EXPECT_FALSE(half->value(half->findValue("a")).isConstant());
  EXPECT_FALSE(half->findValue("b.half").valid()) << "60 elements are few";
  EXPECT_FALSE(half->findValue("c.half").valid()) << "a vector";

  auto simple = simplify(*half);
  ASSERT_TRUE(simple.ok());
  const auto before = graph.value(graph.findValue("a")).constant->as<float>();
  const auto after = simple->value(simple->findValue("a")).constant->as<float>();
  ASSERT_EQ(before.size(), after.size());
  bool rounded = false;
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_NEAR(after[i], before[i], std::abs(before[i]) * 0x1p-11F + 0x1p-25F) << i;
    rounded = rounded || after[i] != before[i];
  }
  EXPECT_TRUE(rounded);

  auto again = halveWeights(*simple);
  ASSERT_TRUE(again.ok());
  const auto first = half->value(half->findValue("a.half")).constant->view().bytes();
  const auto second = again->value(again->findValue("a.half")).constant->view().bytes();
  EXPECT_TRUE(std::equal(first.begin(), first.end(), second.begin(), second.end()));
}

TEST(HalfWeights, ValuesBeyondTheRangeOfHalvesKeepTheirWeightsWide) {
  auto half = halveWeights(twoMatrices(65530));
  ASSERT_TRUE(half.ok());
  EXPECT_FALSE(half->findValue("a.half").valid());
  EXPECT_TRUE(half->value(half->findValue("a")).isConstant());
}

}  // namespace
}  // namespace narrows::test
