#include "narrows/engine/engine.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <set>

#include "narrows/engine/op_case.h"
#include "narrows/graph/passes.h"
#include "narrows/graph/random_graph.h"

namespace narrows {
namespace {

std::vector<TensorView> viewsOf(const std::vector<Tensor>& tensors) {
  return {tensors.begin(), tensors.end()};
}

bool sameBits(const Tensor& a, const Tensor& b) {
  const ByteSpan x = a.view().bytes();
  const ByteSpan y = b.view().bytes();
  return a.type() == b.type() && std::equal(x.begin(), x.end(), y.begin(), y.end());
}

std::unique_ptr<Program> compiled(std::string_view engine_name, const Graph& graph) {
  auto engine = makeEngine(engine_name);
  EXPECT_TRUE(engine.ok());
  auto program = (*engine)->compile(graph, EngineOptions());
  EXPECT_TRUE(program.ok()) << program.error().message;
  return program.ok() ? std::move(*program) : nullptr;
}

TEST(Engines, AreMadeByName) {
  for (std::string_view name : engineNames()) {
    auto engine = makeEngine(name);
    ASSERT_TRUE(engine.ok()) << engine.error().message;
    EXPECT_EQ((*engine)->name(), name);
  }
  EXPECT_EQ(engineNames().front(), "reference");
  EXPECT_TRUE(makeEngine(defaultEngineName()).ok());
  auto unknown = makeEngine("abacus");
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.error().message.find("no engine \"abacus\"; this build has reference"),
            std::string::npos);
}

class EngineTest : public testing::TestWithParam<std::string_view> {};

/// y = relu(x + c), and x and c themselves as outputs.
Graph passThrough() {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{2}});
  const ValueId c = graph.addConstant("c", Tensor::from<float>({2}, {1, -5}));
  const auto sum = graph.add(Binary{BinaryKind::add}, {x, c}, "sum");
  const auto y = graph.add(Unary{UnaryKind::relu}, {*sum}, "y");
  EXPECT_TRUE(graph.setOutputs({*y, x, c, *sum}).ok());
  return graph;
}

TEST_P(EngineTest, GivesInputsConstantsAndIntermediatesAsOutputs) {
  auto program = compiled(GetParam(), passThrough());
  ASSERT_NE(program, nullptr);
  const Tensor x = Tensor::from<float>({2}, {2, 3});
  auto outputs = runProgram(*program, std::vector<TensorView>{x});
  ASSERT_TRUE(outputs.ok()) << outputs.error().message;
  const std::vector<Tensor>& y = *outputs;
  EXPECT_TRUE(sameBits(y[0], Tensor::from<float>({2}, {3, 0})));
  EXPECT_TRUE(sameBits(y[1], x));
  EXPECT_TRUE(sameBits(y[2], Tensor::from<float>({2}, {1, -5})));
  EXPECT_TRUE(sameBits(y[3], Tensor::from<float>({2}, {3, -2})));
}

TEST_P(EngineTest, RefusesTensorsThatAreNotTheGraphs) {
  auto program = compiled(GetParam(), passThrough());
  ASSERT_NE(program, nullptr);
  auto none = runProgram(*program, {});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().message, "0 inputs, the program has 1");
  const Tensor wrong(DType::f32, Shape{3});
  auto shape = runProgram(*program, std::vector<TensorView>{wrong});
  ASSERT_FALSE(shape.ok());
  EXPECT_EQ(shape.error().message, "input 0 is f32 3, the program's is f32 2");
  const Tensor x(DType::f32, Shape{2});
  EXPECT_FALSE(program->run(std::vector<TensorView>{x}, {}).ok());
}

/// Running again, or in another program, gives the same bits: nothing is left over in the arena.
TEST_P(EngineTest, RepeatsItself) {
  for (std::uint32_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Graph graph = randomGraph(seed);
    const auto inputs = randomInputs(graph, seed);
    const auto others = randomInputs(graph, seed + 1000);
    auto program = compiled(GetParam(), graph);
    ASSERT_NE(program, nullptr);
    auto first = runProgram(*program, viewsOf(inputs));
    ASSERT_TRUE(first.ok()) << first.error().message;
    ASSERT_TRUE(runProgram(*program, viewsOf(others)).ok());
    auto again = runProgram(*program, viewsOf(inputs));
    auto elsewhere = runProgram(*compiled(GetParam(), graph), viewsOf(inputs));
    ASSERT_TRUE(again.ok() && elsewhere.ok());
    for (std::size_t i = 0; i < first->size(); ++i) {
      EXPECT_TRUE(sameBits((*first)[i], (*again)[i])) << "output " << i;
      EXPECT_TRUE(sameBits((*first)[i], (*elsewhere)[i])) << "output " << i;
    }
  }
}

NARROWS_FOR_EVERY_ENGINE(EngineTest);

/// The planned arena never lets two live tensors overlap: with every value an output of its own,
/// and so outside the arena, the results are the same bits.
TEST(ReferenceEngine, SharesItsArenaSafely) {
  for (std::uint32_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Graph graph = randomGraph(seed);
    Graph open = graph;
    std::vector<ValueId> all(graph.outputs().begin(), graph.outputs().end());
    for (std::size_t i = 0; i < graph.valueCount(); ++i) {
      const ValueId id(i);
      if (graph.value(id).producer.valid() && !graph.isOutput(id)) all.push_back(id);
    }
    ASSERT_TRUE(open.setOutputs(all).ok());
    const auto inputs = randomInputs(graph, seed);
    auto program = compiled("reference", graph);
    auto wide = compiled("reference", open);
    ASSERT_TRUE(program != nullptr && wide != nullptr);
    EXPECT_EQ(wide->memory().arena, 0u);
    auto results = runProgram(*program, viewsOf(inputs));
    auto expected = runProgram(*wide, viewsOf(inputs));
    ASSERT_TRUE(results.ok() && expected.ok());
    for (std::size_t i = 0; i < results->size(); ++i) {
      EXPECT_TRUE(sameBits((*results)[i], (*expected)[i])) << "output " << i;
    }
  }
}

/// Every part's nodes are of the graph and no node is in two; timing changes no result, and the
/// parts' times add up to no more than the run took.
TEST_P(EngineTest, TimesThePartsOfARun) {
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    auto simple = simplify(randomGraph(seed, {.nodes = 20}));
    ASSERT_TRUE(simple.ok());
    const Graph& graph = *simple;
    const std::vector<Tensor> inputs = randomInputs(graph, seed);
    auto program = compiled(GetParam(), graph);
    ASSERT_NE(program, nullptr) << "seed " << seed;
    std::set<std::string> names;
    for (const Node& node : graph.nodes()) names.insert(node.name);
    for (const ProgramPart& part : program->parts()) {
      for (const std::string& name : part.nodes)
        EXPECT_EQ(names.erase(name), 1u) << "seed " << seed << ", node " << name;
    }
    const auto expected = runProgram(*program, viewsOf(inputs));
    ASSERT_TRUE(expected.ok());
    std::vector<Tensor> outputs;
    std::vector<MutableTensorView> views;
    for (const TensorType& type : program->outputTypes()) outputs.emplace_back(type);
    views.reserve(outputs.size());
    for (Tensor& output : outputs) views.push_back(output.mutableView());
    std::vector<Seconds> times(program->parts().size());
    constexpr int kRuns = 3;
    const auto start = std::chrono::steady_clock::now();
    for (int run = 0; run < kRuns; ++run)
      ASSERT_TRUE(program->runTimed(viewsOf(inputs), views, times).ok());
    const double wall =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    double sum = 0;
    for (Seconds time : times) {
      EXPECT_GE(time.value(), 0);
      sum += time.value();
    }
    EXPECT_LE(sum, wall) << "seed " << seed;
    EXPECT_GT(sum, 0) << "seed " << seed;
    for (std::size_t i = 0; i < outputs.size(); ++i)
      EXPECT_TRUE(sameBits(outputs[i], (*expected)[i])) << "seed " << seed << ", output " << i;
  }
}

TEST(ReferenceEngine, ReportsWhatItHolds) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 16, 8, 8}});
  auto weight = std::make_shared<const Tensor>(DType::f32, Shape{16, 16, 1, 1});
  const ValueId w = graph.addConstant("w", weight);
  const ValueId v = graph.addConstant("v", weight);  // the same tensor counts once
  graph.addConstant("unused", Tensor(DType::f32, Shape{1000}));
  ValueId last = x;
  for (int i = 0; i < 4; ++i) {
    auto conv = graph.add(Conv2d{}, {last, i % 2 == 0 ? w : v});
    ASSERT_TRUE(conv.ok()) << conv.error().message;
    last = *conv;
  }
  ASSERT_TRUE(graph.setOutputs({last}).ok());
  auto program = compiled("reference", graph);
  ASSERT_NE(program, nullptr);
  EXPECT_EQ(program->memory().weights, 16u * 16u * 4u);
  // Three intermediate maps of 4096 bytes, two of which live at once.
  EXPECT_EQ(program->memory().arena, 2u * 4096u);
  EXPECT_EQ(program->memory().scratch, 0u);
}

TEST(ReferenceEngine, NamesTheNodeItCannotCompute) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f16, Shape{2}});
  auto y = graph.add(Unary{UnaryKind::exp}, {x}, "power");
  ASSERT_TRUE(y.ok());
  ASSERT_TRUE(graph.setOutputs({*y}).ok());
  auto program = (*makeEngine("reference"))->compile(graph, EngineOptions());
  ASSERT_FALSE(program.ok());
  EXPECT_EQ(program.error().message, "node \"power\" (unary): no reference kernel for f16");
}

}  // namespace
}  // namespace narrows
