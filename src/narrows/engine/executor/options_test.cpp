// What EngineOptions change: weights that are not kept, and integers.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "narrows/engine/calibration.h"
#include "narrows/engine/executor/random_graph.h"
#include "narrows/engine/executor/test_runs.h"

namespace narrows::executor {
namespace {

class KeptWeights : public testing::TestWithParam<std::string_view> {};

TEST_P(KeptWeights, ThoseNotKeptGiveTheSameBits) {
  const auto engine = *makeEngine(GetParam());
  for (std::uint64_t seed = 6000; seed < 6040; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomGraph random(seed);
    const Graph graph = random.draw(10);
    const std::vector<Tensor> inputs = random.inputs(graph);
    ProgramMemory all;
    const auto kept = results(*engine, graph, {}, inputs, &all);
    EngineOptions options;
    options.threads = 1 + seed % 2;
    for (const std::size_t most : {std::size_t{0}, all.weights / 2}) {
      options.kept_weights = most;
      ProgramMemory some;
      const auto streamed = results(*engine, graph, options, inputs, &some);
      ASSERT_EQ(kept.size(), streamed.size());
      for (std::size_t i = 0; i < kept.size(); ++i) EXPECT_TRUE(sameBits(kept[i], streamed[i]));
      EXPECT_LE(some.weights, all.weights);
    }
  }
}

TEST_P(KeptWeights, LargeProductsArePackedInPieces) {
  const auto engine = *makeEngine(GetParam());
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{2, 3000}});
  Tensor weights(DType::f32, Shape{1000, 3000});
  float next = 0;
  for (float& w : weights.mutableAs<float>()) w = std::sin(next += 0.37F);
  Tensor turned(DType::f32, Shape{3000, 1000});
  for (std::size_t i = 0; i < 1000; ++i) {
    for (std::size_t k = 0; k < 3000; ++k)
      turned.mutableAs<float>()[k * 1000 + i] = weights.as<float>()[i * 3000 + k];
  }
  const ValueId w = graph.addConstant("w", std::move(weights));
  const ValueId v = graph.addConstant("v", std::move(turned));
  Gemm gemm;
  gemm.transpose_b = true;
  const ValueId y = *graph.add(gemm, {x, w});
  const ValueId z = *graph.add(MatMul{}, {x, v});
  ASSERT_TRUE(graph.setOutputs({y, z}).ok());
  std::vector<Tensor> inputs;
  inputs.emplace_back(TensorType{DType::f32, Shape{2, 3000}});
  for (float& value : inputs[0].mutableAs<float>()) value = std::cos(next += 0.11F);
  ProgramMemory memory;
  EngineOptions options;
  options.kept_weights = 0;
  const auto kept = results(*engine, graph, {}, inputs);
  const auto streamed = results(*engine, graph, options, inputs, &memory);
  ASSERT_EQ(streamed.size(), 2u);
  EXPECT_TRUE(sameBits(kept[0], streamed[0]));
  EXPECT_TRUE(sameBits(kept[1], streamed[1]));
  EXPECT_TRUE(sameBits(streamed[0], streamed[1]));
  EXPECT_EQ(memory.weights, 0u);
  // 12 MB of weights, of which 4 MB are packed at once, and staged where inputs come first.
  EXPECT_LT(memory.scratch, 9u << 20);
}

/// Lends copies of blocks, which are overwritten when they are given back.
class LendingReader final : public WeightReader {
 public:
  bool has(ByteSpan) const override { return true; }
  void expect(std::vector<ByteSpan> blocks) override { expected_ = std::move(blocks); }
  Result<ByteSpan> hold(ByteSpan block) override {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(expected_.begin(), expected_.end(), [&](ByteSpan other) {
      return other.data() == block.data() && other.size() == block.size();
    });
    if (found == expected_.end()) return makeError("not expected");
    expected_.erase(found);
    if (refuses) return makeError("no more weights");
    return ByteSpan(
        lent_.emplace(block.data(), ByteVector(block.begin(), block.end())).first->second);
  }
  void release(ByteSpan block) override {
    const std::lock_guard lock(mutex_);
    ByteVector& copy = lent_.at(block.data());
    std::fill(copy.begin(), copy.end(), std::byte{0xFF});
  }
  void leave(ByteSpan) override {}

  std::size_t outstanding() const { return expected_.size(); }
  bool refuses = false;

 private:
  std::mutex mutex_;
  std::vector<ByteSpan> expected_;
  std::map<const std::byte*, ByteVector> lent_;
};

/// Convolutions and a product of sizes that are no multiples of anything.
Graph streamedLayers() {
  Graph graph;
  float next = 0;
  const auto constant = [&](Shape shape) {
    Tensor tensor(DType::f32, shape);
    for (float& w : tensor.mutableAs<float>()) w = std::sin(next += 0.37F);
    return graph.addConstant(fmt::format("w{}", next), std::move(tensor));
  };
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 3, 19, 13}});
  Conv2d conv;
  conv.window.kernel = {3, 3};
  conv.window.pads = {1, 1, 1, 1};
  const ValueId a = *graph.add(conv, {x, constant(Shape{83, 3, 3, 3}), constant(Shape{83})});
  const ValueId b = *graph.add(LeakyRelu{0.1}, {a});
  conv.window.stride = {2, 2};
  const ValueId c = *graph.add(conv, {b, constant(Shape{211, 83, 3, 3}), constant(Shape{211})});
  const ValueId d = *graph.add(Unary{UnaryKind::relu}, {c});
  const ValueId e = *graph.add(Conv2d{}, {d, constant(Shape{401, 211, 1, 1})});
  const ValueId f = *graph.add(GlobalPool{GlobalPoolKind::average}, {e});
  const ValueId g = *graph.add(Reshape{{1, 401}}, {f});
  Gemm gemm;
  gemm.transpose_b = true;
  const ValueId h = *graph.add(gemm, {g, constant(Shape{203, 401}), constant(Shape{203})});
  NARROWS_ASSERT(graph.setOutputs({e, h}).ok());
  return graph;
}

TEST_P(KeptWeights, AReaderLendsThemInTheOrderOfARun) {
  const auto engine = *makeEngine(GetParam());
  const Graph graph = streamedLayers();
  std::vector<Tensor> inputs;
  inputs.emplace_back(graph.type(graph.inputs()[0]));
  float next = 0;
  for (float& value : inputs[0].mutableAs<float>()) value = std::cos(next += 0.11F);
  const auto kept = results(*engine, graph, {}, inputs);
  for (const std::size_t threads : {1, 2, 16}) {
    SCOPED_TRACE(threads);
    LendingReader reader;
    EngineOptions options;
    options.threads = threads;
    options.kept_weights = 0;
    options.weight_reader = &reader;
    ProgramMemory memory;
    const auto streamed = results(*engine, graph, options, inputs, &memory);
    ASSERT_EQ(streamed.size(), kept.size());
    for (std::size_t i = 0; i < kept.size(); ++i) {
      EXPECT_TRUE(sameBits(kept[i], streamed[i])) << "output " << i;
    }
    EXPECT_EQ(reader.outstanding(), 0u);
    EXPECT_GT(memory.streamed_block, 0u);
    EXPECT_LE(memory.streamed_block, std::size_t{211 * 83 * 9 * 4});
    EXPECT_EQ(memory.weights, 0u);

    auto program = *engine->compile(graph, options);
    reader.refuses = true;
    const TensorView view = inputs[0];
    const auto refused = runProgram(*program, std::span(&view, 1));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().message, "no more weights");
  }
}

/// One row reads each weight once, several panels at a time: what it gives are the bits that the
/// same row gives among others, on any number of threads, with weights that are kept or not.
TEST_P(KeptWeights, OneRowIsComputedAsAmongOthers) {
  const auto engine = *makeEngine(GetParam());
  for (const std::int64_t columns : {64 * 9, 337, 1000}) {
    SCOPED_TRACE(columns);
    std::vector<Tensor> rows;
    float next = 0;
    const auto graphOf = [&](std::int64_t count) {
      Graph graph;
      const ValueId x = graph.addInput("x", {DType::f32, Shape{count, 900}});
      Tensor weights(DType::f32, Shape{columns, 900});
      float at = 0;
      for (float& w : weights.mutableAs<float>()) w = std::sin(at += 0.37F);
      Tensor bias(DType::f32, Shape{columns});
      for (float& b : bias.mutableAs<float>()) b = std::sin(at += 0.37F);
      Gemm gemm;
      gemm.transpose_b = true;
      const ValueId w = graph.addConstant("w", std::move(weights));
      const ValueId b = graph.addConstant("b", std::move(bias));
      const ValueId sums = *graph.add(gemm, {x, w, b});
      NARROWS_ASSERT(graph.setOutputs({*graph.add(LeakyRelu{0.1}, {sums})}).ok());
      return graph;
    };
    rows.emplace_back(TensorType{DType::f32, Shape{3, 900}});
    for (float& value : rows[0].mutableAs<float>()) value = std::cos(next += 0.11F);
    std::vector<Tensor> one;
    one.emplace_back(TensorType{DType::f32, Shape{1, 900}});
    std::copy_n(rows[0].as<float>().begin() + 900, 900, one[0].mutableAs<float>().begin());
    const auto all = results(*engine, graphOf(3), {}, rows);
    ASSERT_EQ(all.size(), 1u);
    const auto wanted = all[0].as<float>().subspan(static_cast<std::size_t>(columns),
                                                   static_cast<std::size_t>(columns));
    for (const std::size_t threads : {1, 2, 3}) {
      for (const bool kept : {true, false}) {
        EngineOptions options;
        options.threads = threads;
        if (!kept) options.kept_weights = 0;
        const auto alone = results(*engine, graphOf(1), options, one);
        ASSERT_EQ(alone.size(), 1u);
        const auto made = alone[0].as<float>();
        if (GetParam() == "onednn") {
          EXPECT_TRUE(std::equal(wanted.begin(), wanted.end(), made.begin()))
              << threads << " threads, " << (kept ? "kept" : "streamed");
        }
        for (std::size_t i = 0; i < wanted.size(); ++i) ASSERT_NEAR(wanted[i], made[i], 2e-3F);
      }
    }
  }
}

class Integers : public testing::TestWithParam<std::string_view> {};

TEST_P(Integers, WholeNumbersComeOutExactly) {
  const auto reference = *makeEngine("reference");
  const auto engine = *makeEngine(GetParam());
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
    const auto expected = results(*reference, graph, {}, inputs);
    EngineOptions options;
    options.int8_ranges = std::make_shared<const ValueRanges>(
        ValueRanges{{"ones", {0, 255}}, {"positive", {0, 255}}, {"sums", {-255, 255}}});
    expectSameBits(*engine, graph, options, inputs, expected[0]);
  }
}

TEST_P(Integers, StayNearTheReferenceOnRandomGraphs) {
  const auto reference = *makeEngine("reference");
  const auto engine = *makeEngine(GetParam());
  double total = 0;
  int count = 0;
  for (std::uint64_t seed = 7000; seed < 7040; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomGraph random(seed);
    const Graph graph = random.draw(8);
    const std::vector<Tensor> inputs = random.inputs(graph);
    auto finder = RangeFinder::create(*engine, graph);
    ASSERT_TRUE(finder.ok()) << finder.error().message;
    ASSERT_TRUE(finder->observe(std::vector<TensorView>(inputs.begin(), inputs.end())).ok());
    EngineOptions options;
    options.threads = 1 + seed % 2;
    options.int8_ranges = std::make_shared<const ValueRanges>(finder->ranges());
    const auto expected = results(*reference, graph, {}, inputs);
    const auto actual = results(*engine, graph, options, inputs);
    ASSERT_EQ(expected.size(), actual.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (expected[i].dtype() != DType::f32 || expected[i].type().elements() == 0) continue;
      const double relative = relativeError(expected[i], actual[i]);
      EXPECT_LT(relative, 0.25) << "output " << i;
      total += relative;
      ++count;
    }
  }
  fmt::print("{}: mean relative error of {} outputs in integers: {:.4f}\n", GetParam(), count,
             total / count);
  EXPECT_LT(total / count, 0.03);
}

/// A first layer, a pool and a layer that reads integers: the pool's inputs and results are whole
/// numbers that integers hold as they are.
TEST_P(Integers, PassThroughPools) {
  const auto reference = *makeEngine("reference");
  const auto engine = *makeEngine(GetParam());
  for (const ValueRange range : {ValueRange{0, 255}, ValueRange{-127, 127}, ValueRange{-51, 204}}) {
    const bool positive = range.low >= 0;
    // Only oneDNN's integers have another zero.
    if (range.low == -51 && GetParam() == "xnnpack") continue;
    for (const std::int64_t channels : {16, 21}) {
      SCOPED_TRACE(fmt::format("{} channels, from {}", channels, range.low));
      Graph graph;
      const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 3, 23, 31}});
      Tensor weights(DType::f32, Shape{channels, 3, 3, 3});
      std::int64_t next = 0;
      for (float& w : weights.mutableAs<float>()) w = static_cast<float>(next++ * 5 % 7 - 3);
      const ValueId w = graph.addConstant("w", std::move(weights));
      Conv2d window;
      window.window.kernel = {3, 3};
      window.window.pads = {1, 1, 1, 1};
      ValueId value = *graph.add(window, {x, w}, "window", "sums");
      if (positive) value = *graph.add(Unary{UnaryKind::relu}, {value}, "relu", "cut");
      MaxPool2d pool;
      pool.window.kernel = {3, 3};
      pool.window.stride = {2, 2};
      pool.window.pads = {1, 1, 1, 1};
      const ValueId most = *graph.add(pool, {value}, "pool", "most");
      Tensor mixing(DType::f32, Shape{5, channels, 1, 1});
      for (float& v : mixing.mutableAs<float>()) v = next++ % 3 == 0 ? 127.0F : -2.0F;
      const ValueId v = graph.addConstant("v", std::move(mixing));
      const ValueId mixed = *graph.add(Conv2d{}, {most, v}, "mix", "mixed");
      // A sum of one number each: what feeds outputs without sums behind it stays in f32.
      AveragePool2d same;
      same.window.kernel = {1, 1};
      ASSERT_TRUE(graph.setOutputs({*graph.add(same, {mixed}, "same", "y")}).ok());
      std::vector<Tensor> inputs;
      inputs.emplace_back(TensorType{DType::f32, Shape{1, 3, 23, 31}});
      for (float& value_in : inputs[0].mutableAs<float>())
        value_in = static_cast<float>(next++ * 3 % 5 % 2);
      EngineOptions options;
      options.int8_ranges = std::make_shared<const ValueRanges>(ValueRanges{
          {"sums", range}, {"cut", range}, {"most", range}, {"mixed", {-127e3F, 127e3F}}});
      const auto expected = results(*reference, graph, {}, inputs);
      for (const std::size_t threads : {1, 2}) {
        options.threads = threads;
        const auto actual = results(*engine, graph, options, inputs);
        ASSERT_EQ(actual.size(), 1u);
        // XNNPACK stores the sums of integers in bytes, too.
        const float step = GetParam() == "xnnpack" ? 500 : 0;
        for (std::size_t i = 0; i < expected[0].as<float>().size(); ++i)
          ASSERT_NEAR(actual[0].as<float>()[i], expected[0].as<float>()[i], step) << i;
      }
    }
  }
}

/// Maps with an odd number of rows and many channels: two threads share the channels.
TEST_P(Integers, AndFloatsComeOutAlikeOnAnyThreadCount) {
  const auto reference = *makeEngine("reference");
  const auto engine = *makeEngine(GetParam());
  std::uint32_t state = 5;
  const auto draw = [&] {
    state = state * 1664525U + 1013904223U;
    return static_cast<float>(state >> 8) / static_cast<float>(1 << 24) - 0.5F;
  };
  Graph graph;
  ValueId value = graph.addInput("x", {DType::f32, Shape{1, 32, 13, 13}});
  std::int64_t channels = 32;
  for (const std::int64_t stride : {1, 2}) {
    Tensor weights(DType::f32, Shape{256, channels, 3, 3});
    for (float& w : weights.mutableAs<float>()) w = draw() / 8;
    Tensor shift(DType::f32, Shape{256});
    for (float& b : shift.mutableAs<float>()) b = draw();
    Conv2d op;
    op.window.kernel = {3, 3};
    op.window.stride = {stride, stride};
    op.window.pads = {1, 1, 1, 1};
    const ValueId w = graph.addConstant(fmt::format("w{}", stride), std::move(weights));
    const ValueId b = graph.addConstant(fmt::format("b{}", stride), std::move(shift));
    value = *graph.add(op, {value, w, b}, fmt::format("conv{}", stride), "");
    value = *graph.add(Unary{UnaryKind::relu}, {value}, fmt::format("relu{}", stride),
                       fmt::format("y{}", stride));
    channels = 256;
  }
  const ValueId last = *graph.add(GlobalPool{GlobalPoolKind::average}, {value});
  ASSERT_TRUE(graph.setOutputs({last}).ok());
  std::vector<Tensor> inputs;
  inputs.emplace_back(TensorType{DType::f32, Shape{1, 32, 13, 13}});
  for (float& x : inputs[0].mutableAs<float>()) x = draw();
  const auto expected = results(*reference, graph, {}, inputs);
  auto finder = RangeFinder::create(*engine, graph);
  ASSERT_TRUE(finder.ok() && finder->observe(std::vector<TensorView>{inputs[0].view()}).ok());
  for (const bool integers : {false, true}) {
    EngineOptions options;
    if (integers) options.int8_ranges = std::make_shared<const ValueRanges>(finder->ranges());
    const auto one = results(*engine, graph, options, inputs);
    options.threads = 2;
    const auto two = results(*engine, graph, options, inputs);
    ASSERT_TRUE(one.size() == 1 && two.size() == 1);
    EXPECT_TRUE(sameBits(one[0], two[0])) << (integers ? "integers" : "floats");
    for (std::size_t i = 0; i < 256; ++i) {
      EXPECT_NEAR(two[0].as<float>()[i], expected[0].as<float>()[i], integers ? 0.05F : 1e-4F);
    }
  }
}

TEST(Ranges, LeaveOutWhatEightBitsHoldBadly) {
  const auto engine = *makeEngine("reference");
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 1, 40, 40}});
  const ValueId y = *graph.add(Unary{UnaryKind::relu}, {x}, "relu", "y");
  const ValueId z = *graph.add(Unary{UnaryKind::abs}, {y}, "abs", "z");
  ASSERT_TRUE(graph.setOutputs({z}).ok());
  // Numbers of 0 to 1 evenly; then with one that is 100 times as large.
  for (const float outlier : {1.0F, 100.0F}) {
    Tensor input(DType::f32, Shape{1, 1, 40, 40});
    for (std::size_t i = 0; i < 1600; ++i)
      input.mutableAs<float>()[i] = static_cast<float>(i) / 1599.0F;
    input.mutableAs<float>()[7] = outlier;
    auto finder = RangeFinder::create(*engine, graph);
    ASSERT_TRUE(finder.ok());
    const TensorView view = input.view();
    ASSERT_TRUE(finder->observe({&view, 1}).ok());
    const ValueRanges ranges = finder->ranges();
    EXPECT_EQ(ranges.contains("y"), outlier == 1.0F);
    if (ranges.contains("y")) {
      EXPECT_FLOAT_EQ(ranges.at("y").high, 1.0F);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, KeptWeights, testing::ValuesIn(backends()));
INSTANTIATE_TEST_SUITE_P(Backends, Integers, testing::ValuesIn(backends()));

}  // namespace
}  // namespace narrows::executor
