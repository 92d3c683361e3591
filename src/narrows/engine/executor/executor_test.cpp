#include "narrows/engine/executor/executor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "narrows/engine/executor/random_graph.h"

namespace narrows::executor {
namespace {

std::unique_ptr<Program> compiled(const Graph& graph, std::string_view engine,
                                  std::size_t threads = 1) {
  auto made = makeEngine(engine);
  EXPECT_TRUE(made.ok());
  auto program = (*made)->compile(graph, {threads});
  EXPECT_TRUE(program.ok()) << program.error().message;
  return program.ok() ? std::move(*program) : nullptr;
}

std::vector<TensorView> viewsOf(const std::vector<Tensor>& tensors) {
  return {tensors.begin(), tensors.end()};
}

/// The largest difference, relative to the expected output's range, or to 1, the scale of the
/// inputs, when it is narrower.
double difference(TensorView expected, TensorView actual) {
  double range = 1;
  double worst = 0;
  const auto a = expected.as<float>();
  const auto b = actual.as<float>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) != std::isnan(b[i])) return HUGE_VAL;
    range = std::max(range, std::abs(static_cast<double>(a[i])));
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return worst / range;
}

std::string describe(const Graph& graph) {
  std::string text;
  for (const Node& node : graph.nodes()) {
    text += fmt::format("  {} {}(", node.name, opName(node.op));
    for (ValueId input : node.inputs)
      text += fmt::format("{}:{} ", graph.value(input).name, toString(graph.shape(input)));
    text += fmt::format(") -> {}\n", toString(graph.shape(node.outputs[0])));
  }
  for (ValueId output : graph.outputs()) text += "  out " + graph.value(output).name + "\n";
  return text;
}

/// Engines that are the executor over a backend.
std::vector<std::string_view> backends() {
  std::vector<std::string_view> names = engineNames();
  std::erase(names, "reference");
  return names;
}

class RandomGraphs : public testing::TestWithParam<std::tuple<std::string_view, std::size_t>> {};

TEST_P(RandomGraphs, MatchTheReference) {
  constexpr std::uint64_t kGraphs = 60;
  const auto [engine, nodes] = GetParam();
  for (std::uint64_t seed = 1; seed <= kGraphs; ++seed) {
    RandomGraph random(seed);
    const Graph graph = random.draw(nodes);
    const std::vector<Tensor> inputs = random.inputs(graph);
    const auto reference = compiled(graph, "reference");
    const auto fast = compiled(graph, engine, 1 + seed % 2);
    ASSERT_TRUE(reference && fast) << "seed " << seed << "\n" << describe(graph);
    const auto expected = runProgram(*reference, viewsOf(inputs));
    const auto actual = runProgram(*fast, viewsOf(inputs));
    ASSERT_TRUE(expected.ok() && actual.ok());
    for (std::size_t i = 0; i < expected->size(); ++i) {
      ASSERT_LE(difference((*expected)[i], (*actual)[i]), 2e-5)
          << "seed " << seed << ", output " << i << "\n"
          << describe(graph);
    }
    const auto again = runProgram(*fast, viewsOf(inputs));
    ASSERT_TRUE(again.ok());
    for (std::size_t i = 0; i < expected->size(); ++i) {
      const auto first = (*actual)[i].view().bytes();
      const auto second = (*again)[i].view().bytes();
      ASSERT_TRUE(std::equal(first.begin(), first.end(), second.begin()))
          << "second run differs, seed " << seed;
    }
  }
}

TEST(Fusion, ASumOfTwoConvolutionsBelongsToOneOfThem) {
  RandomGraph random(1);
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 3, 5, 4}});
  Tensor weight(DType::f32, Shape{2, 3, 1, 1});
  for (float& w : weight.mutableAs<float>()) w = 0.5F;
  const ValueId w = graph.addConstant("w", std::move(weight));
  auto a = graph.add(Conv2d{}, {x, w});
  auto b = graph.add(Conv2d{}, {x, w});
  auto sum = graph.add(Binary{BinaryKind::add}, {*a, *b});
  ASSERT_TRUE(sum.ok() && graph.setOutputs({*sum}).ok());
  const std::vector<Tensor> inputs = random.inputs(graph);
  const auto expected = runProgram(*compiled(graph, "reference"), viewsOf(inputs));
  ASSERT_TRUE(expected.ok());
  for (std::string_view engine : backends()) {
    const auto actual = runProgram(*compiled(graph, engine), viewsOf(inputs));
    ASSERT_TRUE(actual.ok());
    EXPECT_LE(difference((*expected)[0], (*actual)[0]), 1e-6) << engine;
  }
}

INSTANTIATE_TEST_SUITE_P(BackendsAndSizes, RandomGraphs,
                         testing::Combine(testing::ValuesIn(backends()),
                                          testing::Values(1, 3, 8, 20)));

}  // namespace
}  // namespace narrows::executor
