// Programs that multiply bf16.
#include <gtest/gtest.h>

#include "narrows/engine/executor/random_graph.h"
#include "narrows/engine/executor/test_runs.h"

namespace narrows::executor {
namespace {

/// The engine that has bf16; null, with the reason printed, where the processor has none.
std::unique_ptr<Engine> engineWithBfloat() {
  auto engine = makeEngine("onednn");
  if (!engine.ok()) return nullptr;
  Graph graph;
  NARROWS_ASSERT(graph.setOutputs({graph.addInput("x", {DType::f32, Shape{1}})}).ok());
  EngineOptions options;
  options.bf16 = true;
  const auto program = (*engine)->compile(graph, options);
  if (program.ok()) return std::move(*engine);
  fmt::print("{}\n", program.error().message);
  return nullptr;
}

class Bfloat : public testing::Test {
 protected:
  void SetUp() override {
    if (engine_ == nullptr) GTEST_SKIP() << "no bf16 here";
    options_.bf16 = true;
  }

  std::unique_ptr<Engine> engine_ = engineWithBfloat();
  std::unique_ptr<Engine> reference_ = *makeEngine("reference");
  EngineOptions options_;
};

/// Whole numbers of up to 8 bits are bf16, and f32 holds their sums.
TEST_F(Bfloat, WholeNumbersComeOutExactly) {
  for (const std::int64_t channels : {8, 16, 19}) {
    SCOPED_TRACE(channels);
    const Graph graph = wholeNumbers(channels);
    std::vector<Tensor> inputs;
    inputs.emplace_back(TensorType{DType::f32, Shape{1, channels, 7, 9}});
    std::uint32_t state = 7;
    for (float& value : inputs[0].mutableAs<float>()) {
      state = state * 1664525U + 1013904223U;
      value = (state >> 24) % 8 == 0 ? 1.0F : 0.0F;
    }
    const auto expected = results(*reference_, graph, {}, inputs);
    expectSameBits(*engine_, graph, options_, inputs, expected[0]);
  }
}

/// Every number that a layer reads, and every weight, is off by at most one part in 2^9 (8
/// significant bits, round to nearest); errors of many add up as their squares do.
TEST_F(Bfloat, StayNearTheReferenceOnRandomGraphs) {
  double total = 0;
  int count = 0;
  int changed = 0;
  for (std::uint64_t seed = 9000; seed < 9060; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomGraph random(seed);
    const Graph graph = random.draw(8);
    const std::vector<Tensor> inputs = random.inputs(graph);
    options_.threads = 1 + seed % 2;
    const auto expected = results(*reference_, graph, {}, inputs);
    const auto actual = results(*engine_, graph, options_, inputs);
    ASSERT_EQ(expected.size(), actual.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (expected[i].dtype() != DType::f32 || expected[i].type().elements() == 0) continue;
      const double relative = relativeError(expected[i], actual[i]);
      EXPECT_LT(relative, 0.05) << "output " << i;
      total += relative;
      ++count;
      if (relative > 1e-4) ++changed;
    }
  }
  fmt::print("mean relative error of {} outputs in bf16: {:.5f}, {} of them rounded\n", count,
             total / count, changed);
  EXPECT_LT(total / count, 0.005);
  EXPECT_GT(changed, count / 4);
}

/// Negative numbers, whose bits are not in the order of integers.
TEST_F(Bfloat, PassesThroughPools) {
  for (const std::int64_t channels : {16, 21}) {
    SCOPED_TRACE(channels);
    Graph graph;
    const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 8, 23, 31}});
    Tensor weights(DType::f32, Shape{channels, 8, 1, 1});
    std::int64_t next = 0;
    for (float& w : weights.mutableAs<float>()) w = static_cast<float>(next++ * 5 % 7 - 3);
    const ValueId w = graph.addConstant("w", std::move(weights));
    const ValueId sums = *graph.add(Conv2d{}, {x, w}, "mix", "sums");
    MaxPool2d pool;
    pool.window.kernel = {3, 3};
    pool.window.stride = {2, 2};
    pool.window.pads = {1, 1, 1, 1};
    const ValueId most = *graph.add(pool, {sums}, "pool", "most");
    Tensor mixing(DType::f32, Shape{5, channels, 1, 1});
    for (float& v : mixing.mutableAs<float>()) v = next++ % 3 == 0 ? 127.0F : -2.0F;
    const ValueId v = graph.addConstant("v", std::move(mixing));
    ASSERT_TRUE(graph.setOutputs({*graph.add(Conv2d{}, {most, v}, "last", "y")}).ok());
    std::vector<Tensor> inputs;
    inputs.emplace_back(TensorType{DType::f32, Shape{1, 8, 23, 31}});
    for (float& value : inputs[0].mutableAs<float>())
      value = static_cast<float>(next++ * 3 % 5 % 3 - 3);
    const auto expected = results(*reference_, graph, {}, inputs);
    expectSameBits(*engine_, graph, options_, inputs, expected[0]);
  }
}

TEST(BfloatErrors, NameTheEngineThatHasNone) {
  Graph graph;
  ASSERT_TRUE(graph.setOutputs({graph.addInput("x", {DType::f32, Shape{1}})}).ok());
  EngineOptions options;
  options.bf16 = true;
  for (const std::string_view name : engineNames()) {
    if (name == "onednn") continue;
    const auto program = (*makeEngine(name))->compile(graph, options);
    ASSERT_FALSE(program.ok()) << name;
    EXPECT_NE(program.error().message.find(name), std::string::npos) << program.error().message;
    EXPECT_NE(program.error().message.find("bf16"), std::string::npos) << program.error().message;
  }
}

TEST_F(Bfloat, DoesNotGoWithIntegers) {
  Graph graph;
  ASSERT_TRUE(graph.setOutputs({graph.addInput("x", {DType::f32, Shape{1}})}).ok());
  options_.int8_ranges = std::make_shared<const ValueRanges>();
  const auto program = engine_->compile(graph, options_);
  ASSERT_FALSE(program.ok());
  EXPECT_EQ(program.error().message, "a program multiplies bf16 or integers, not both");
}

}  // namespace
}  // namespace narrows::executor
