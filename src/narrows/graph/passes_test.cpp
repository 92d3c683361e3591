#include "narrows/graph/passes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "narrows/graph/random_graph.h"
#include "narrows/tensor/absent.h"
#include "narrows/tensor/half.h"

namespace narrows {
namespace {

class PassesTest : public testing::Test {
 protected:
  ValueId input(Shape shape) { return graph_.addInput("x", {DType::f32, shape}); }
  ValueId constant(std::string_view name, Shape shape, std::initializer_list<float> values) {
    return graph_.addConstant(name, Tensor::from<float>(shape, values));
  }
  ValueId add(Op op, std::vector<ValueId> inputs, std::string_view name = {}) {
    auto value = graph_.add(std::move(op), std::move(inputs), name);
    NARROWS_ASSERT(value.ok());
    return *value;
  }
  Graph simplified(std::vector<ValueId> outputs, const SimplifyOptions& options = {}) {
    NARROWS_ASSERT(graph_.setOutputs(std::move(outputs)).ok());
    auto graph = simplify(graph_, options);
    NARROWS_ASSERT(graph.ok());
    return *std::move(graph);
  }
  static std::vector<std::string> ops(const Graph& graph) {
    std::vector<std::string> names;
    for (const Node& node : graph.nodes()) names.emplace_back(opName(node.op));
    return names;
  }

  Graph graph_;
};

using Names = std::vector<std::string>;

TEST_F(PassesTest, DropsWhatDoesNothing) {
  ValueId x = input({1, 2, 4, 4});
  x = add(Identity{}, {x});
  x = add(Reshape{{1, 2, 4, 4}}, {x});
  x = add(Transpose{{0, 1, 2, 3}}, {x});
  x = add(Pad{PadMode::constant, {0, 0, 0, 0}, {0, 0, 0, 0}, 0}, {x});
  x = add(Slice{{0, 0, 0, 0}, {1, 2, 4, 4}, {1, 1, 1, 1}}, {x});
  x = add(Concat{1}, {x});
  x = add(Unary{UnaryKind::relu}, {x}, "r");
  x = add(Identity{}, {x}, "y");
  const Graph result = simplified({x});
  EXPECT_EQ(ops(result), Names{"unary"});
  EXPECT_EQ(result.value(result.outputs()[0]).name, "y");
}

TEST_F(PassesTest, FoldsTypesWithoutElements) {
  const auto absent = [&](std::string_view name, Shape shape) {
    return graph_.addConstant(name, withoutElements({DType::f32, shape}));
  };
  ValueId x = input({1, 2, 3, 3});
  x = add(Conv2d{}, {x, constant("w", {2, 2, 1, 1}, {1, 2, 3, 4})}, "conv");
  x = add(BatchNorm{}, {x, absent("s", {2}), absent("b", {2}), absent("m", {2}), absent("v", {2})});
  x = add(Binary{BinaryKind::add}, {x, absent("shift", {1, 2, 1, 1})});
  x = add(Conv2d{}, {x, absent("w2", {2, 2, 1, 1}), constant("b2", {2}, {1, 1})}, "conv2");
  x = add(Binary{BinaryKind::mul}, {x, constant("factor", {1}, {3})}, "y");
  // Nobody knows what a constant without elements adds up to.
  const ValueId sum = add(Binary{BinaryKind::add}, {absent("p", {3}), absent("q", {3})}, "sum");
  const Graph result = simplified({x, sum});
  EXPECT_EQ(ops(result), (Names{"conv2d", "conv2d", "binary"}));
  for (const char* name : {"w", "conv.bias", "w2", "b2"}) {
    const ValueId folded = result.findValue(name);
    ASSERT_TRUE(folded.valid()) << name;
    EXPECT_FALSE(hasElements(*result.value(folded).constant)) << name;
  }
  EXPECT_EQ(result.shape(result.findValue("conv.bias")), (Shape{2}));
}

TEST_F(PassesTest, KeepsMovesThatMove) {
  ValueId x = input({1, 2, 4, 4});
  x = add(Transpose{{0, 1, 3, 2}}, {x});
  x = add(Slice{{0, 0, 0, 3}, {1, 2, 4, 4}, {1, 1, 1, -1}}, {x});
  x = add(Pad{PadMode::constant, {0, 0, 1, 0}, {0, 0, -1, 0}, 0}, {x});
  EXPECT_EQ(ops(simplified({x})), (Names{"transpose", "slice", "pad"}));
}

TEST_F(PassesTest, AnIdentityFromInputToOutputStays) {
  const ValueId x = input({4});
  const Graph result = simplified({add(Identity{}, {x}, "y")});
  EXPECT_EQ(ops(result), Names{"identity"});
  EXPECT_EQ(result.value(result.outputs()[0]).name, "y");
}

TEST_F(PassesTest, MergesReshapesAndTransposes) {
  ValueId x = input({2, 3, 4});
  x = add(Reshape{{6, 4}}, {x});
  x = add(Reshape{{4, 6}}, {x});
  x = add(Reshape{{4, 3, 2}}, {x});
  x = add(Transpose{{1, 2, 0}}, {x});
  x = add(Transpose{{2, 1, 0}}, {x});
  const Graph result = simplified({x});
  EXPECT_EQ(ops(result), (Names{"reshape", "transpose"}));
  EXPECT_EQ(std::get<Transpose>(result.node(NodeId(1)).op).permutation, (Ints{0, 2, 1}));
  EXPECT_EQ(result.shape(result.outputs()[0]), (Shape{4, 2, 3}));
}

TEST_F(PassesTest, FoldsBatchNormIntoAConvolution) {
  const ValueId x = input({1, 1, 2, 2});
  const ValueId w = constant("w", {2, 1, 1, 1}, {3, 5});
  const ValueId y = add(Conv2d{}, {x, w}, "conv");
  const ValueId n = add(BatchNorm{0.25},
                        {y, constant("s", {2}, {2, 4}), constant("b", {2}, {1, -1}),
                         constant("m", {2}, {10, 20}), constant("v", {2}, {0.75F, 3.75F})},
                        "n");
  const Graph result = simplified({n});
  ASSERT_EQ(ops(result), Names{"conv2d"});
  const Node& conv = result.node(NodeId(0));
  const auto weight = result.value(conv.inputs[1]).constant->as<float>();
  const auto bias = result.value(conv.inputs[2]).constant->as<float>();
  // Scales 2 / sqrt(1) and 4 / sqrt(4).
  EXPECT_EQ(weight[0], 6);
  EXPECT_EQ(weight[1], 10);
  EXPECT_EQ(bias[0], 1 - 10 * 2);
  EXPECT_EQ(bias[1], -1 - 20 * 2);
  EXPECT_EQ(result.value(result.outputs()[0]).name, "n");
}

TEST_F(PassesTest, FoldsPerChannelArithmeticIntoAConvolution) {
  const ValueId x = input({1, 1, 2, 2});
  ValueId y = add(Conv2d{}, {x, constant("w", {2, 1, 1, 1}, {3, 5}), constant("b", {2}, {1, 2})});
  y = add(Binary{BinaryKind::mul}, {y, constant("k", {1, 2, 1, 1}, {2, 3})});
  y = add(Binary{BinaryKind::sub}, {constant("t", {}, {7}), y});
  const Graph result = simplified({y});
  ASSERT_EQ(ops(result), Names{"conv2d"});
  const Node& conv = result.node(NodeId(0));
  const auto weight = result.value(conv.inputs[1]).constant->as<float>();
  const auto bias = result.value(conv.inputs[2]).constant->as<float>();
  EXPECT_EQ(weight[0], -6);
  EXPECT_EQ(weight[1], -15);
  EXPECT_EQ(bias[0], 7 - 2);
  EXPECT_EQ(bias[1], 7 - 6);
}

TEST_F(PassesTest, DoesNotFoldWhatOthersReadOrWhatVariesInSpace) {
  const ValueId x = input({1, 1, 2, 2});
  const ValueId w = constant("w", {2, 1, 1, 1}, {3, 5});
  const ValueId y = add(Conv2d{}, {x, w}, "conv");
  const ValueId scaled = add(Binary{BinaryKind::mul}, {y, constant("k", {}, {2})});
  EXPECT_EQ(ops(simplified({y, scaled})), (Names{"conv2d", "binary"}));
  const ValueId rows = add(Binary{BinaryKind::mul}, {y, constant("q", {1, 1, 2, 1}, {1, 2})});
  EXPECT_EQ(ops(simplified({rows})), (Names{"conv2d", "binary"}));
}

TEST_F(PassesTest, ANormalisationOfZeroVarianceStays) {
  const ValueId x = input({1, 1, 2, 2});
  const ValueId y = add(Conv2d{}, {x, constant("w", {1, 1, 1, 1}, {3})});
  const ValueId one = constant("s", {1}, {1});
  const ValueId zero = constant("v", {1}, {0});
  EXPECT_EQ(ops(simplified({add(BatchNorm{0}, {y, one, one, one, zero})})),
            (Names{"conv2d", "batch_norm"}));
}

TEST_F(PassesTest, FoldsZeroPaddingIntoAConvolutionOnly) {
  const ValueId x = input({1, 1, 4, 4});
  const ValueId w = constant("w", {1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  Conv2d conv;
  conv.window.kernel = {3, 3};
  conv.window.pads = {0, 1, 0, 0};
  const ValueId zeros = add(Pad{PadMode::constant, {0, 0, 1, 1}, {0, 0, 0, 2}, 0}, {x}, "pad");
  const Graph merged = simplified({add(conv, {zeros, w})});
  ASSERT_EQ(ops(merged), Names{"conv2d"});
  EXPECT_EQ(std::get<Conv2d>(merged.node(NodeId(0)).op).window.pads, (Padding2d{1, 2, 0, 2}));
  const ValueId ones = add(Pad{PadMode::constant, {0, 0, 1, 1}, {0, 0, 0, 2}, 1}, {x}, "pad");
  EXPECT_EQ(ops(simplified({add(conv, {ones, w})})), (Names{"pad", "conv2d"}));
  MaxPool2d pool;
  pool.window.kernel = {2, 2};
  EXPECT_EQ(ops(simplified({add(pool, {zeros})})), (Names{"pad", "max_pool2d"}));
}

TEST_F(PassesTest, ComputesWhatOnlyConstantsFeed) {
  const ValueId x = input({2, 3});
  ValueId c = constant("c", {6}, {1, 2, 3, 4, 5, 6});
  c = add(Reshape{{3, 2}}, {c});
  c = add(Transpose{{1, 0}}, {c});
  c = add(Binary{BinaryKind::add}, {c, constant("d", {}, {0.5F})});
  const Graph result = simplified({add(Binary{BinaryKind::mul}, {x, c})});
  ASSERT_EQ(ops(result), Names{"binary"});
  const auto folded = result.value(result.node(NodeId(0)).inputs[1]).constant->as<float>();
  EXPECT_EQ(std::vector<float>(folded.begin(), folded.end()),
            (std::vector<float>{1.5F, 3.5F, 5.5F, 2.5F, 4.5F, 6.5F}));
}

TEST_F(PassesTest, DoesNotUnfoldLargeConstants) {
  const ValueId x = input({1000, 1000});
  const ValueId c = add(Expand{{1000, 1000}}, {constant("c", {}, {3})});
  EXPECT_EQ(ops(simplified({add(Binary{BinaryKind::mul}, {x, c})})), (Names{"expand", "binary"}));
}

TEST_F(PassesTest, WidensWeightsKeptInHalfPrecisionWhateverTheirSize) {
  const ValueId x = input({300, 400});
  Tensor halves(TensorType{DType::f16, Shape{300, 400}});
  std::byte* to = halves.mutableView().bytes().data();
  for (std::size_t i = 0; i < 300 * 400; ++i) {
    const std::uint16_t bits = floatToHalf(static_cast<float>(i % 2048) * 0.25F - 100.0F);
    std::memcpy(to + 2 * i, &bits, sizeof bits);
  }
  const ValueId c = add(Cast{DType::f32}, {graph_.addConstant("c", std::move(halves))});
  const Graph result = simplified({add(Binary{BinaryKind::mul}, {x, c})});
  ASSERT_EQ(ops(result), Names{"binary"});
  const auto wide = result.value(result.node(NodeId(0)).inputs[1]).constant->as<float>();
  for (std::size_t i = 0; i < wide.size(); ++i) {
    ASSERT_EQ(wide[i], static_cast<float>(i % 2048) * 0.25F - 100.0F) << i;
  }
}

TEST_F(PassesTest, MergesEqualNodesAndKeepsBothOutputNames) {
  const ValueId x = input({4});
  const ValueId a = add(Unary{UnaryKind::relu}, {x}, "a");
  const ValueId b = add(Unary{UnaryKind::relu}, {x}, "b");
  const ValueId c = add(Unary{UnaryKind::exp}, {b}, "c");
  const ValueId d = add(Unary{UnaryKind::exp}, {a}, "d");
  const Graph result = simplified({c, d});
  EXPECT_EQ(ops(result), (Names{"unary", "unary", "identity"}));
  EXPECT_EQ(result.value(result.outputs()[0]).name, "c");
  EXPECT_EQ(result.value(result.outputs()[1]).name, "d");
}

TEST_F(PassesTest, EachPassCanBeLeftOut) {
  const ValueId x = input({4});
  const ValueId y = add(Unary{UnaryKind::relu}, {add(Identity{}, {x})}, "y");
  EXPECT_EQ(ops(simplified({y}, {{"drop-no-ops"}})), (Names{"identity", "unary"}));
  EXPECT_EQ(simplify(graph_, {{"drop-noops"}}).error().message,
            "there is no pass \"drop-noops\"; known are drop-no-ops, merge-reshapes, "
            "merge-transposes, fold-constants, fold-padding, fold-affine, merge-equal-nodes, "
            "drop-dead-nodes");
}

TEST_F(PassesTest, ReportsWhatEachPassDid) {
  const ValueId x = input({4});
  const ValueId y = add(Unary{UnaryKind::relu}, {add(Identity{}, {x})}, "y");
  ASSERT_TRUE(graph_.setOutputs({y}).ok());
  std::vector<PassReport> report;
  ASSERT_TRUE(simplify(graph_, {}, &report).ok());
  ASSERT_EQ(report.size(), simplifyPasses().size());
  EXPECT_EQ(report[0].name, "drop-no-ops");
  EXPECT_EQ(report[0].nodes_removed, 1);
}

TEST_F(PassesTest, RandomGraphsKeepTheirPortsAndNeverGrow) {
  for (std::uint32_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Graph graph = randomGraph(seed, {20, 1, 10, true});
    auto result = simplify(graph);
    ASSERT_TRUE(result.ok()) << result.error().message;
    ASSERT_TRUE(verify(*result).ok());
    EXPECT_LE(result->nodeCount(), graph.nodeCount());
    ASSERT_EQ(result->inputs().size(), graph.inputs().size());
    ASSERT_EQ(result->outputs().size(), graph.outputs().size());
    for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
      EXPECT_EQ(result->value(result->outputs()[i]).name, graph.value(graph.outputs()[i]).name);
      EXPECT_EQ(result->type(result->outputs()[i]), graph.type(graph.outputs()[i]));
    }
    auto again = simplify(*result);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->nodeCount(), result->nodeCount());
  }
}

}  // namespace
}  // namespace narrows
