#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <random>

#include "narrows/engine/engine.h"
#include "narrows/formats/model_file.h"
#include "narrows/graph/constants.h"
#include "narrows/graph/passes.h"
#include "narrows/graph/random_graph.h"
#include "narrows/prune/channel_groups.h"
#include "narrows/prune/importance.h"
#include "narrows/zoo/zoo.h"
#include "tests/support/shared_data.h"

namespace narrows::test {
namespace {

namespace fs = std::filesystem;

Result<std::vector<Tensor>> run(const Graph& graph, const std::vector<Tensor>& inputs) {
  NARROWS_TRY(engine, makeEngine("reference"));
  NARROWS_TRY(program, engine->compile(graph, {}));
  const std::vector<TensorView> views(inputs.begin(), inputs.end());
  return runProgram(*program, views);
}

void expectEqual(const std::vector<Tensor>& a, const std::vector<Tensor>& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(toString(a[i].shape()), toString(b[i].shape()));
    if (a[i].dtype() != DType::f32) continue;
    double largest = 1e-3;
    for (const float value : b[i].as<float>()) {
      largest = std::max(largest, std::abs(static_cast<double>(value)));
    }
    for (std::size_t k = 0; k < a[i].as<float>().size(); ++k) {
      const auto x = static_cast<double>(a[i].as<float>()[k]);
      const auto y = static_cast<double>(b[i].as<float>()[k]);
      if (x == y || (std::isnan(x) && std::isnan(y))) continue;
      ASSERT_NEAR(x, y, tolerance * largest) << "output " << i << " element " << k;
    }
  }
}

std::vector<bool> randomChoice(const Graph& graph, const ChannelGroups& groups, std::uint32_t seed,
                               double share) {
  std::mt19937 random(seed);
  std::vector<double> importance;
  std::vector<bool> candidates;
  for (std::size_t g = 0; g < groups.count(); ++g) {
    importance.push_back(1.0 + static_cast<double>(random() % 1000));
    candidates.push_back(groups.removable(g));
  }
  return chooseGroups(graph, groups, candidates, importance, share, 0);
}

/// The graph with the weights that read removed channels set to zero: removing them then changes no
/// output. A graph of the same shapes, and so an oracle of removal.
Result<Graph> withReadersSilenced(const Graph& graph, const ChannelGroups& groups,
                                  const std::vector<bool>& removed) {
  ConstantMap constants;
  for (const Node& node : graph.nodes()) {
    const auto* conv = std::get_if<Conv2d>(&node.op);
    const auto* gemm = std::get_if<Gemm>(&node.op);
    const bool transposed = std::holds_alternative<ConvTranspose2d>(node.op);
    if ((conv == nullptr || conv->groups != 1) && gemm == nullptr && !transposed) continue;
    const auto& of = groups.of(node.inputs[0]);
    const ValueId weight = node.inputs[1];
    if (of.empty() || !graph.value(weight).isConstant()) continue;
    const auto found = constants.find(weight);
    const Tensor& now = found != constants.end() ? *found->second : *graph.value(weight).constant;
    Tensor silenced = now.clone();
    const std::size_t axis = conv != nullptr ? 1 : transposed ? 0 : gemm->transpose_b ? 1 : 0;
    std::size_t inner = 1;
    for (std::size_t a = axis + 1; a < now.shape().rank(); ++a) {
      inner *= static_cast<std::size_t>(now.shape()[a]);
    }
    for (std::size_t i = 0; i < silenced.as<float>().size(); ++i) {
      if (removed[of[i / inner % of.size()]]) silenced.mutableAs<float>()[i] = 0;
    }
    constants[weight] = std::make_shared<const Tensor>(std::move(silenced));
  }
  return replaceConstants(graph, constants);
}

/// Removes nothing, then a random third; checks validity, size, and the outputs.
void expectPrunable(const Graph& graph, std::uint32_t seed, bool outputs, bool must_shrink) {
  const ChannelGroups groups = ChannelGroups::find(graph);
  auto whole = removeChannels(graph, groups, std::vector<bool>(groups.count(), false));
  ASSERT_TRUE(whole.ok()) << whole.error().message;
  ASSERT_TRUE(verify(*whole).ok());
  EXPECT_EQ(cost(*whole).macs, cost(graph).macs);
  EXPECT_EQ(cost(*whole).parameters, cost(graph).parameters);
  const std::vector<Tensor> inputs = randomInputs(graph, seed);
  if (outputs) {
    auto before = run(graph, inputs);
    auto after = run(*whole, inputs);
    ASSERT_TRUE(before.ok() && after.ok());
    expectEqual(*after, *before, 0);
  }
  const std::vector<bool> removed = randomChoice(graph, groups, seed, 0.33);
  const auto count = std::count(removed.begin(), removed.end(), true);
  ASSERT_TRUE(!must_shrink || count > 0);
  auto smaller = removeChannels(graph, groups, removed);
  ASSERT_TRUE(smaller.ok()) << smaller.error().message;
  ASSERT_TRUE(verify(*smaller).ok());
  if (must_shrink) {
    EXPECT_LT(cost(*smaller).macs, cost(graph).macs);
    EXPECT_LT(cost(*smaller).parameters, cost(graph).parameters);
  }
  for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
    EXPECT_EQ(toString(smaller->shape(smaller->outputs()[i])),
              toString(graph.shape(graph.outputs()[i])));
  }
  if (!outputs) return;
  auto silenced = withReadersSilenced(graph, groups, removed);
  ASSERT_TRUE(silenced.ok()) << silenced.error().message;
  auto expected = run(*silenced, inputs);
  auto actual = run(*smaller, inputs);
  ASSERT_TRUE(expected.ok()) << expected.error().message;
  ASSERT_TRUE(actual.ok()) << actual.error().message;
  expectEqual(*actual, *expected, 1e-4);
}

TEST(Prune, EveryModelOfTheSharedData) {
  NARROWS_REQUIRE_SHARED();
  for (const auto& entry : fs::directory_iterator(*sharedData() / "models")) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".onnx" && extension != ".cfg") continue;
    SCOPED_TRACE(entry.path().filename().string());
    auto graph = readModel(entry.path());
    ASSERT_TRUE(graph.ok());
    SimplifyOptions options;
    options.without = {"fold-affine"};
    for (const bool folded : {false, true}) {
      auto clean = folded ? simplify(*graph) : simplify(*graph, options);
      ASSERT_TRUE(clean.ok());
      expectPrunable(*clean, 7, true, true);
    }
  }
}

TEST(Prune, EveryNetworkOfTheZoo) {
  for (const ZooEntry& entry : zooEntries()) {
    SCOPED_TRACE(std::string(entry.name));
    ZooOptions options;
    options.weights = true;
    options.width = 0.25;
    auto model = entry.build(options);
    if (!model.ok()) continue;  // no such width
    auto clean = simplify(model->graph);
    ASSERT_TRUE(clean.ok());
    expectPrunable(*clean, 3, false, true);
  }
}

TEST(Prune, RandomGraphs) {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    expectPrunable(randomGraph(seed), seed, true, false);
  }
}

/// x -> conv a (4) -> relu; conv b (4) of it; a + b -> conv c (2).
Graph residual() {
  Graph graph;
  const auto conv = [&](ValueId x, std::int64_t in, std::int64_t out, const char* name) {
    Conv2d op;
    op.window = {{1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}};
    Tensor weight(DType::f32, Shape{out, in, 1, 1});
    for (std::int64_t o = 0; o < out; ++o) {
      for (std::int64_t i = 0; i < in; ++i) {
        weight.mutableAs<float>()[static_cast<std::size_t>(o * in + i)] =
            static_cast<float>(o + 1) * (i % 2 == 0 ? 0.1F : -0.1F);
      }
    }
    const ValueId constant = graph.addConstant(std::string(name) + ".w", std::move(weight));
    return *graph.add(op, {x, constant}, name, name);
  };
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 3, 4, 4}});
  const ValueId a = *graph.add(Unary{}, {conv(x, 3, 4, "a")}, "relu", "relu");
  const ValueId b = conv(a, 4, 4, "b");
  const ValueId sum = *graph.add(Binary{}, {a, b}, "sum", "sum");
  EXPECT_TRUE(graph.setOutputs({conv(sum, 4, 2, "c")}).ok());
  return graph;
}

TEST(Prune, AdditionTiesChannelsAndInputsAndOutputsStay) {
  const Graph graph = residual();
  const ChannelGroups groups = ChannelGroups::find(graph);
  EXPECT_EQ(groups.of(graph.findValue("a")), groups.of(graph.findValue("b")));
  EXPECT_EQ(groups.of(graph.findValue("a")), groups.of(graph.findValue("sum")));
  for (const char* name : {"x", "c"}) {
    for (const std::size_t group : groups.of(graph.findValue(name))) {
      EXPECT_FALSE(groups.removable(group));
    }
  }
  EXPECT_EQ(groups.count(), 3u + 4u + 2u);
  std::vector<bool> removed(groups.count(), false);
  removed[groups.of(graph.findValue("a"))[1]] = true;
  auto smaller = removeChannels(graph, groups, removed);
  ASSERT_TRUE(smaller.ok());
  EXPECT_EQ(smaller->shape(smaller->findValue("sum"))[1], 3);
  const auto left = smaller->value(smaller->findValue("a.w")).constant->as<float>();
  EXPECT_EQ(left[3], 0.3F);  // the third filter follows the first
  for (const std::size_t group : groups.of(graph.findValue("a"))) removed[group] = true;
  EXPECT_FALSE(removeChannels(graph, groups, removed).ok());
  removed.assign(groups.count(), false);
  removed[groups.of(graph.findValue("x"))[0]] = true;
  EXPECT_FALSE(removeChannels(graph, groups, removed).ok());
}

TEST(Prune, TheLeastImportantGoFirstAndEachLayerKeepsItsShare) {
  const Graph graph = residual();
  const ChannelGroups groups = ChannelGroups::find(graph);
  const std::vector<double> importance = magnitudeImportance(graph, groups);
  const auto& of = groups.of(graph.findValue("a"));
  for (std::size_t c = 1; c < 4; ++c) EXPECT_GT(importance[of[c]], importance[of[c - 1]]);
  EXPECT_FALSE(normImportance(graph, groups).ok());
  auto sum = findCut(graph, "sum");
  ASSERT_TRUE(sum.ok()) << sum.error().message;
  const auto candidates = stepGroups(graph, groups, *sum, PruneStep::cut);
  EXPECT_EQ(std::count(candidates.begin(), candidates.end(), true), 4);
  const auto before = stepGroups(graph, groups, *sum, PruneStep::before);
  EXPECT_EQ(std::count(before.begin(), before.end(), true), 0);
  const auto half = chooseGroups(graph, groups, candidates, importance, 0.5, 0);
  EXPECT_TRUE(half[of[0]] && half[of[1]] && !half[of[2]] && !half[of[3]]);
  const auto most = chooseGroups(graph, groups, candidates, importance, 1.0, 0.5);
  EXPECT_EQ(std::count(most.begin(), most.end(), true), 2);
  const auto all = chooseGroups(graph, groups, candidates, importance, 1.0, 0);
  EXPECT_EQ(std::count(all.begin(), all.end(), true), 3);
}

}  // namespace
}  // namespace narrows::test
