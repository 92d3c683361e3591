// First layers whose results are integers, of planes in integers: against their arithmetic in f64.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "narrows/engine/executor/kernels/quads.h"
#include "narrows/engine/executor/test_runs.h"

namespace narrows::executor {
namespace {

struct Layer {
  std::int64_t planes, results, kernel, stride;
  Padding2d pads;
  std::optional<Op> activation;
  ValueRange input, output;
};

void PrintTo(const Layer& layer, std::ostream* out) {
  *out << fmt::format("{} planes, {} results, {}x{} by {}, {} to {}", layer.planes, layer.results,
                      layer.kernel, layer.kernel, layer.stride, layer.input.low, layer.input.high);
}

class FirstLayer : public testing::TestWithParam<Layer> {};

/// The layer, and behind it a product of integers that gives each of them back times 127.
Graph behindIt(const Layer& layer, std::mt19937& random) {
  std::uniform_int_distribution<int> draw(-126, 126);
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{2, layer.planes, 29, 41}});
  Tensor weights(DType::f32, Shape{layer.results, layer.planes, layer.kernel, layer.kernel});
  const std::int64_t depth = layer.planes * layer.kernel * layer.kernel;
  // The largest of each result is 127, so that integers hold all as they are.
  for (std::int64_t i = 0; i < layer.results * depth; ++i) {
    weights.mutableAs<float>()[static_cast<std::size_t>(i)] =
        i % depth == i / depth % depth ? 127.0F : static_cast<float>(draw(random));
  }
  Tensor bias(DType::f32, Shape{layer.results});
  const float step = (layer.input.high - layer.input.low) / 255;
  for (float& b : bias.mutableAs<float>()) b = static_cast<float>(draw(random)) * 100 * step;
  Conv2d conv;
  conv.window.kernel = {layer.kernel, layer.kernel};
  conv.window.stride = {layer.stride, layer.stride};
  conv.window.pads = layer.pads;
  const ValueId w = graph.addConstant("w", std::move(weights));
  const ValueId b = graph.addConstant("b", std::move(bias));
  ValueId value = *graph.add(conv, {x, w, b}, "first", "sums");
  if (layer.activation) value = *graph.add(*layer.activation, {value}, "activation", "made");
  Tensor same(DType::f32, Shape{layer.results, layer.results, 1, 1});
  for (std::int64_t c = 0; c < layer.results; ++c)
    same.mutableAs<float>()[static_cast<std::size_t>(c * layer.results + c)] = 127;
  const ValueId v = graph.addConstant("v", std::move(same));
  const ValueId back = *graph.add(Conv2d{}, {value, v}, "back", "back");
  // A sum of one number each: what feeds outputs without sums behind it stays in f32.
  AveragePool2d pool;
  pool.window.kernel = {1, 1};
  NARROWS_ASSERT(graph.setOutputs({*graph.add(pool, {back}, "pool", "y")}).ok());
  return graph;
}

TEST_P(FirstLayer, StoresTheNearestIntegers) {
  const Layer layer = GetParam();
  if (quadKernels() == nullptr) GTEST_SKIP() << "this processor has no AVX-512 VNNI";
  std::mt19937 random(11);
  const Graph graph = behindIt(layer, random);
  std::vector<Tensor> inputs;
  inputs.emplace_back(TensorType{DType::f32, Shape{2, layer.planes, 29, 41}});
  // Numbers that the integers of the input hold as they are.
  const float step = (layer.input.high - layer.input.low) / 255;
  std::uniform_int_distribution<int> draw(0, 255);
  const float zero = std::nearbyint(-layer.input.low / step);
  for (float& value : inputs[0].mutableAs<float>())
    value = (static_cast<float>(draw(random)) - zero) * step;
  EngineOptions options;
  options.int8_ranges = std::make_shared<const ValueRanges>(ValueRanges{
      {"x", layer.input}, {"sums", layer.output}, {"made", layer.output}, {"back", {-1, 1}}});
  const auto expected = results(**makeEngine("reference"), graph, {}, inputs);
  const auto engine = makeEngine("onednn");
  if (!engine.ok()) GTEST_SKIP() << engine.error().message;
  std::vector<Tensor> one;
  for (const std::size_t threads : {1, 2}) {
    options.threads = threads;
    auto actual = results(**engine, graph, options, inputs);
    ASSERT_EQ(actual.size(), 1u);
    // Half a step of the stored integers, and what f32 leaves of the sums.
    const float most = std::max(-layer.output.low, layer.output.high);
    const float steps = layer.output.low < 0 ? 127 : 255;
    const float scale = most / steps;
    float worst = 0;
    int stored = 0;
    for (std::size_t i = 0; i < expected[0].as<float>().size(); ++i) {
      const float wanted = expected[0].as<float>()[i] / 127;
      const float made = actual[0].as<float>()[i] / 127;
      if (wanted < layer.output.low || wanted > layer.output.high) continue;
      worst = std::max(worst, std::abs(wanted - made));
      ++stored;
    }
    EXPECT_GT(stored, 1000);
    EXPECT_LE(worst, 0.51F * scale);
    // Not in f32: something was rounded.
    EXPECT_GT(worst, 0.3F * scale);
    if (threads == 1) {
      one = std::move(actual);
    } else {
      EXPECT_TRUE(sameBits(one[0], actual[0]));
    }
  }
}

constexpr ValueRange kPicture{0, 255};
constexpr ValueRange kCentred{-123, 132};
constexpr ValueRange kUnit{0, 1};
constexpr ValueRange kWide{0, 400'000};
constexpr ValueRange kSigned{-400'000, 400'000};

INSTANTIATE_TEST_SUITE_P(
    Layers, FirstLayer,
    testing::Values(
        Layer{3, 16, 3, 1, {1, 1, 1, 1}, Op(Unary{UnaryKind::relu}), kPicture, kWide},
        Layer{3, 16, 3, 1, {1, 1, 1, 1}, Op(LeakyRelu{0.25}), kPicture, kSigned},
        Layer{3, 64, 7, 2, {3, 3, 3, 3}, Op(Unary{UnaryKind::relu}), kCentred, kWide},
        Layer{1, 21, 5, 1, {0, 2, 1, 0}, std::nullopt, kCentred, kSigned},
        Layer{4, 40, 3, 3, {1, 0, 0, 1}, Op(Clip{0, 300'000}), kPicture, kWide},
        Layer{2, 70, 2, 4, {0, 0, 0, 0}, std::nullopt, kPicture, kSigned},
        Layer{3, 33, 3, 2, {0, 0, 1, 1}, Op(Unary{UnaryKind::relu}), kUnit, ValueRange{0, 1600}},
        Layer{3,
              16,
              3,
              1,
              {1, 1, 1, 1},
              Op(Unary{UnaryKind::sigmoid}),
              ValueRange{0, 0.001F},
              ValueRange{0, 1}}));

}  // namespace
}  // namespace narrows::executor
