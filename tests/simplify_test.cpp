// Clean-up passes and evaluation of constants against the reference engine.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "narrows/engine/engine.h"
#include "narrows/graph/evaluate.h"
#include "narrows/graph/passes.h"
#include "narrows/graph/random_graph.h"

namespace narrows {
namespace {

std::vector<Tensor> runReference(const Graph& graph, std::span<const Tensor> inputs) {
  auto engine = makeEngine("reference");
  NARROWS_ASSERT(engine.ok());
  auto program = (*engine)->compile(graph, {});
  NARROWS_ASSERT(program.ok());
  std::vector<TensorView> views(inputs.begin(), inputs.end());
  auto outputs = runProgram(**program, views);
  NARROWS_ASSERT(outputs.ok());
  return *std::move(outputs);
}

/// Largest difference relative to the largest magnitude of `expected`.
double relativeError(const Tensor& actual, const Tensor& expected) {
  double range = 1e-6;
  double worst = 0;
  const auto a = actual.as<float>();
  const auto b = expected.as<float>();
  for (std::size_t i = 0; i < b.size(); ++i) {
    range = std::max<double>(range, std::fabs(b[i]));
    const double difference = std::fabs(static_cast<double>(a[i]) - b[i]);
    // Equal infinities and two NaNs are equal; anything else with them is not.
    const bool same = a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]));
    worst = std::max(worst, same ? 0.0 : std::isfinite(difference) ? difference : INFINITY);
  }
  return worst / range;
}

void expectSameResults(const Graph& graph, const Graph& simplified, std::uint32_t seed) {
  const auto inputs = randomInputs(graph, seed);
  const auto expected = runReference(graph, inputs);
  const auto actual = runReference(simplified, inputs);
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(actual[i].type(), expected[i].type());
    EXPECT_LE(relativeError(actual[i], expected[i]), 2e-5) << graph.value(graph.outputs()[i]).name;
  }
}

TEST(Simplify, GivesTheSameNumbersOnRandomGraphs) {
  std::size_t removed = 0;
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Graph graph = randomGraph(seed, {16, 1, 10, true});
    auto result = simplify(graph);
    ASSERT_TRUE(result.ok()) << result.error().message;
    removed += graph.nodeCount() - result->nodeCount();
    expectSameResults(graph, *result, seed);
  }
  EXPECT_GT(removed, 300u);
}

TEST(Simplify, EachPassAloneGivesTheSameNumbers) {
  for (const Pass& pass : simplifyPasses()) {
    for (std::uint32_t seed = 1000; seed < 1030; ++seed) {
      SCOPED_TRACE(fmt::format("pass {}, seed {}", pass.name, seed));
      const Graph graph = randomGraph(seed, {16, 1, 10, true});
      auto result = pass.run(graph);
      ASSERT_TRUE(result.ok()) << result.error().message;
      ASSERT_TRUE(verify(*result).ok());
      expectSameResults(graph, *result, seed);
    }
  }
}

/// Linear operators of all kinds with random groups, a normalisation behind each.
TEST(Simplify, FoldsNormalisationIntoEveryLinearOperator) {
  for (std::uint32_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937 random(seed);
    const std::int64_t groups = 1 + random() % 3;
    const std::int64_t in = groups * (1 + random() % 3);
    const std::int64_t out = groups * (1 + random() % 3);
    Graph graph;
    std::uint32_t next = seed * 100;
    const auto constant = [&](Shape shape) {
      return graph.addConstant("c", randomTensor({DType::f32, shape}, next++));
    };
    const auto positive = [&](std::int64_t count) {
      Tensor tensor = randomTensor({DType::f32, Shape{count}}, next++);
      for (float& v : tensor.mutableAs<float>()) v = std::fabs(v) + 0.1F;
      return graph.addConstant("v", std::move(tensor));
    };
    const auto normalized = [&](Result<ValueId> value) {
      NARROWS_ASSERT(value.ok());
      const std::int64_t channels = graph.shape(*value)[1];
      auto result = graph.add(BatchNorm{1e-3}, {*value, constant({channels}), constant({channels}),
                                                constant({channels}), positive(channels)});
      NARROWS_ASSERT(result.ok());
      return *result;
    };
    const ValueId x = graph.addInput("x", {DType::f32, Shape{1, in, 5, 4}});
    Conv2d conv;
    conv.window.kernel = {3, 2};
    conv.groups = groups;
    const ValueId a = normalized(graph.add(conv, {x, constant({out, in / groups, 3, 2})}));
    ConvTranspose2d transposed;
    transposed.window.kernel = {2, 3};
    transposed.window.stride = {2, 1};
    transposed.groups = groups;
    const ValueId b =
        normalized(graph.add(transposed, {x, constant({in, out / groups, 2, 3}), constant({out})}));
    auto flat = graph.add(Reshape{{1, in * 20}}, {x});
    const bool transpose_b = random() % 2 == 0;
    const Gemm gemm{false, transpose_b, 0.5, 2.0};
    const Shape shape = transpose_b ? Shape{7, in * 20} : Shape{in * 20, 7};
    const ValueId c = normalized(graph.add(
        gemm, {*flat, constant(shape), constant(random() % 2 == 0 ? Shape{7} : Shape{1, 7})}));
    ASSERT_TRUE(graph.setOutputs({a, b, c}).ok());
    auto result = simplify(graph);
    ASSERT_TRUE(result.ok()) << result.error().message;
    for (const Node& node : result->nodes()) {
      EXPECT_FALSE(std::holds_alternative<BatchNorm>(node.op)) << node.name;
    }
    expectSameResults(graph, *result, seed);
  }
}

/// Runs `op` on constants through the engine and through `evaluateConstant`.
void expectEvaluates(const Op& op, std::vector<Tensor> inputs) {
  Graph graph;
  std::vector<ValueId> values;
  std::vector<const Tensor*> pointers;
  for (Tensor& input : inputs) {
    values.push_back(graph.addInput("x", input.type()));
    pointers.push_back(&input);
  }
  auto node = graph.addNode(op, values);
  ASSERT_TRUE(node.ok()) << node.error().message;
  ASSERT_TRUE(graph.setOutputs(graph.node(*node).outputs).ok());
  const auto expected = runReference(graph, inputs);
  const auto actual = evaluateConstant(op, pointers);
  ASSERT_TRUE(actual.has_value()) << opName(op);
  ASSERT_EQ(actual->size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ((*actual)[i].type(), expected[i].type());
    const ByteSpan a = (*actual)[i].view().bytes();
    const ByteSpan b = expected[i].view().bytes();
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << opName(op);
  }
}

template <class... Tensors>
std::vector<Tensor> list(Tensors... tensors) {
  std::vector<Tensor> result;
  (result.push_back(std::move(tensors)), ...);
  return result;
}

Tensor floats(Shape shape, std::uint32_t seed) {
  return randomTensor({DType::f32, shape}, seed);
}

Tensor integers(Shape shape, std::uint32_t seed, std::int64_t least, std::int64_t most) {
  std::mt19937 random(seed);
  Tensor tensor(DType::i64, shape);
  for (std::int64_t& v : tensor.mutableAs<std::int64_t>()) {
    v = least + static_cast<std::int64_t>(random() % static_cast<std::uint32_t>(most - least + 1));
  }
  return tensor;
}

TEST(EvaluateConstant, GivesWhatTheEngineGives) {
  expectEvaluates(Reshape{{4, 6}}, list(floats({2, 3, 4}, 1)));
  expectEvaluates(Transpose{{2, 0, 1}}, list(floats({2, 3, 4}, 2)));
  expectEvaluates(Expand{{3, 2, 5}}, list(floats({2, 1}, 3)));
  expectEvaluates(Tile{{2, 3}}, list(floats({2, 3}, 4)));
  expectEvaluates(Slice{{1, 3}, {2, 2}, {1, -2}}, list(floats({3, 4}, 5)));
  expectEvaluates(Split{1, {1, 3, 2}}, list(floats({2, 6}, 6)));
  expectEvaluates(Concat{1}, list(floats({2, 1, 3}, 7), floats({2, 4, 3}, 8)));
  expectEvaluates(Gather{1}, list(floats({2, 5, 3}, 9), integers({2, 2}, 10, -5, 4)));
  expectEvaluates(Gather{0}, list(floats({5}, 9), Tensor::scalar<std::int64_t>(-1)));
  expectEvaluates(Cast{DType::i64}, list(floats({7}, 11)));
  expectEvaluates(Cast{DType::f32}, list(integers({7}, 12, -9, 9)));
  expectEvaluates(Cast{DType::boolean}, list(integers({7}, 12, -1, 1)));
  expectEvaluates(Where{}, list(Tensor::from<bool>({2, 1}, {true, false}), floats({3}, 13),
                                floats({2, 3}, 14)));
  for (auto kind : {UnaryKind::relu, UnaryKind::abs, UnaryKind::neg, UnaryKind::floor,
                    UnaryKind::ceil, UnaryKind::reciprocal}) {
    expectEvaluates(Unary{kind}, list(floats({9}, 15)));
  }
  for (auto kind : {BinaryKind::add, BinaryKind::sub, BinaryKind::mul, BinaryKind::div,
                    BinaryKind::less, BinaryKind::greater_equal, BinaryKind::equal}) {
    expectEvaluates(Binary{kind}, list(floats({2, 3}, 16), floats({3}, 17)));
    expectEvaluates(Binary{kind}, list(integers({2, 3}, 18, -5, 5), integers({1, 3}, 19, 1, 4)));
  }
  for (auto kind : {ReduceKind::sum, ReduceKind::prod, ReduceKind::min, ReduceKind::max}) {
    expectEvaluates(Reduce{kind, {1}, true}, list(integers({2, 3, 2}, 20, -4, 4)));
    expectEvaluates(Reduce{kind, {0, 2}, false}, list(integers({2, 3, 2}, 21, -4, 4)));
  }
}

TEST(EvaluateConstant, GivesNothingWhereTheResultIsNotDefined) {
  const Tensor data = floats({3}, 1);
  const Tensor far = Tensor::from<std::int64_t>({1}, {3});
  const Tensor* gather[] = {&data, &far};
  EXPECT_FALSE(evaluateConstant(Gather{0}, gather).has_value());
  const Tensor zero = Tensor::from<std::int64_t>({1}, {0});
  const Tensor* divide[] = {&far, &zero};
  EXPECT_FALSE(evaluateConstant(Binary{BinaryKind::div}, divide).has_value());
  const Tensor most = Tensor::from<std::int64_t>({1}, {std::numeric_limits<std::int64_t>::max()});
  const Tensor* sum[] = {&most, &far};
  EXPECT_FALSE(evaluateConstant(Binary{BinaryKind::add}, sum).has_value());
  const Tensor huge = Tensor::from<float>({1}, {1e20F});
  const Tensor* cast[] = {&huge};
  EXPECT_FALSE(evaluateConstant(Cast{DType::i64}, cast).has_value());
  EXPECT_FALSE(evaluateConstant(Conv2d{}, divide).has_value());
}

}  // namespace
}  // namespace narrows
