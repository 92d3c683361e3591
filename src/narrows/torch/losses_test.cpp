#include "narrows/torch/losses.h"

#include <gtest/gtest.h>

#include "narrows/codec/quantizer.h"
#include "narrows/codec/rate_table.h"
#include "narrows/torch/gradient_check.h"

namespace narrows::test {
namespace {

QuantizerParams uniformParams(int bits, std::vector<float> low, std::vector<float> step) {
  const Granularity granularity = low.size() == 1 ? Granularity::tensor : Granularity::channel;
  return {QuantizerKind::uniform, bits, granularity, std::move(low), std::move(step)};
}

Tensor singleOf(const Tensor& tensor) {
  Tensor single(DType::f32, tensor.shape());
  std::copy(tensor.as<double>().begin(), tensor.as<double>().end(),
            single.mutableAs<float>().begin());
  return single;
}

/// Checks the gradient of a loss of one tensor.
template <class Loss>
void expectLossGradient(const Tensor& point, Loss&& loss, double tolerance = 1e-5) {
  auto here = loss(point);
  ASSERT_TRUE(here.ok()) << here.error().message;
  expectGradient(
      [&](const Tensor& moved) {
        auto value = loss(moved);
        EXPECT_TRUE(value.ok());
        return value->loss;
      },
      point, here->gradients[0], tolerance, 60);
}

TEST(Losses, CrossEntropyHasItsGradientAndItsValue) {
  const std::vector<int> labels = {2, 0, 1};
  const Tensor logits = uniformTensor(Shape{3, 4}, 1, -2, 2);
  for (const double smoothing : {0.0, 0.1}) {
    expectLossGradient(logits, [&](const Tensor& at) {
      return crossEntropyLoss(at, labels, {smoothing, 1, true});
    });
  }
  expectLossGradient(uniformTensor(Shape{3, 4}, 2, 0.1, 0.9), [&](const Tensor& at) {
    return crossEntropyLoss(at, labels, {0.1, 0, false});
  });
  // Uniform logits: the logarithm of the number of entries, whatever the smoothing.
  auto flat = crossEntropyLoss(Tensor(DType::f64, Shape{3, 4}), labels, {0.3, 0, true});
  ASSERT_TRUE(flat.ok());
  EXPECT_NEAR(flat->loss, std::log(4.0), 1e-12);
  EXPECT_FALSE(crossEntropyLoss(logits, labels, {0.1, 2, true}).ok());
}

DetectionTask smallTask(HeadKind kind) {
  DetectionTask task;
  task.head.kind = kind;
  task.head.classes = 2;
  task.width = 64;
  task.height = 32;
  if (kind == HeadKind::yolov3) {
    task.head.anchors = {{{30, 20}, {16, 8}}, {{6, 5}, {10, 12}}};
    task.head.scale_xy = {1.05, 1.2};
  } else {
    task.head.anchors = {{{2, 1}, {0.5, 0.6}}};
  }
  return task;
}

std::vector<std::vector<BoxTarget>> smallTruth() {
  return {{{0, 0.3, 0.4, 0.4, 0.5}, {1, 0.8, 0.7, 0.1, 0.2}, {1, 0.31, 0.42, 0.2, 0.2}}, {}};
}

TEST(Losses, YoloHasItsGradient) {
  for (const HeadKind kind : {HeadKind::yolov3, HeadKind::yolov2}) {
    const DetectionTask task = smallTask(kind);
    std::vector<Tensor> maps;
    maps.push_back(uniformTensor(Shape{2, 14, 2, 4}, 3, -1.5, 1.5));
    if (kind == HeadKind::yolov3) maps.push_back(uniformTensor(Shape{2, 14, 4, 8}, 4, -1.5, 1.5));
    const auto truth = smallTruth();
    std::vector<TensorView> views(maps.begin(), maps.end());
    auto here = yoloLoss(views, truth, task);
    ASSERT_TRUE(here.ok()) << here.error().message;
    for (std::size_t m = 0; m < maps.size(); ++m) {
      SCOPED_TRACE(fmt::format("kind {} map {}", static_cast<int>(kind), m));
      expectGradient(
          [&](const Tensor& moved) {
            std::vector<TensorView> at = views;
            at[m] = moved;
            return yoloLoss(at, truth, task)->loss;
          },
          maps[m], here->gradients[m], 1e-5, 400);
    }
  }
}

TEST(Losses, YoloIsLeastWhereTheHeadSaysTheTruth) {
  DetectionTask task = smallTask(HeadKind::yolov3);
  task.assign_iou = 1;
  task.head.scale_xy = {1, 1};
  const std::vector<std::vector<BoxTarget>> truth = {{{1, 0.375, 0.25, 30.0 / 64, 20.0 / 32}}};
  Tensor coarse(DType::f64, Shape{1, 14, 2, 4});
  Tensor fine(DType::f64, Shape{1, 14, 4, 8});
  const auto silence = [](Tensor& map) {
    const std::int64_t plane = map.shape()[2] * map.shape()[3];
    for (std::int64_t a = 0; a < 2; ++a) {
      for (std::int64_t i = 0; i < plane; ++i) {
        map.mutableAs<double>()[static_cast<std::size_t>((a * 7 + 4) * plane + i)] = -20;
      }
    }
  };
  silence(coarse);
  silence(fine);
  const auto set = [&](std::int64_t field, double value) {
    // Anchor 0, row 0, column 1: the centre lies in its middle.
    coarse.mutableAs<double>()[static_cast<std::size_t>(field * 8 + 1)] = value;
  };
  set(4, 20);
  set(5, -20);
  set(6, 20);
  const std::vector<TensorView> maps = {coarse, fine};
  auto exact = yoloLoss(maps, truth, task);
  ASSERT_TRUE(exact.ok());
  EXPECT_NEAR(exact->loss, 0, 1e-6);
  set(2, 0.4);
  EXPECT_GT(yoloLoss(maps, truth, task)->loss, 0.05);
  set(2, 0);
  set(6, -20);
  EXPECT_NEAR(yoloLoss(maps, truth, task)->loss, 20, 1e-3);
}

TEST(Losses, DistillationAndImitationHaveTheirGradientsAndVanishAtTheTeacher) {
  const Tensor teacher = uniformTensor(Shape{2, 5}, 8, -2, 2);
  const Tensor student = uniformTensor(Shape{2, 5}, 9, -2, 2);
  expectLossGradient(student, [&](const Tensor& at) { return distillationLoss(at, teacher, 3); });
  expectLossGradient(student, [&](const Tensor& at) { return imitationLoss(at, teacher); });
  EXPECT_NEAR(distillationLoss(teacher, teacher, 3)->loss, 0, 1e-12);
  EXPECT_NEAR(imitationLoss(teacher, teacher)->loss, 0, 1e-12);
}

TEST(FakeQuantizer, GivesWhatTheCodecGivesBitForBit) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937_64 random(seed);
    const bool channel = random() % 2 == 0;
    const bool two_level = random() % 4 == 0;
    QuantizerParams params{two_level ? QuantizerKind::two_level : QuantizerKind::uniform,
                           two_level ? 1 : 1 + static_cast<int>(random() % 8),
                           channel ? Granularity::channel : Granularity::tensor,
                           {},
                           {}};
    for (std::size_t i = 0; i < (channel ? 3u : 1u); ++i) {
      params.low.push_back(-2.0F + 0.001F * static_cast<float>(random() % 2000));
      params.step.push_back(0.01F + 0.0007F * static_cast<float>(random() % 1000));
    }
    const Tensor map = singleOf(uniformTensor(Shape{1, 3, 7, 9}, seed, -3, 3));
    auto quantized = fakeQuantize(map, params, false, map);
    ASSERT_TRUE(quantized.ok()) << quantized.error().message;
    std::vector<std::uint8_t> symbols(map.as<float>().size());
    quantize(map, params, symbols);
    Tensor expected(DType::f32, map.shape());
    dequantize(symbols, params, expected.mutableView());
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      ASSERT_EQ(quantized->output.as<float>()[i], expected.as<float>()[i]) << i;
    }
  }
}

TEST(FakeQuantizer, PassesTheDeclaredSurrogateBack) {
  // Levels 0, 0.5, 1, 1.5; the surrogate's window is [-0.25, 1.75].
  const QuantizerParams params = uniformParams(2, {0.0F}, {0.5F});
  const Tensor map = Tensor::from<double>(Shape{1, 1, 1, 5}, {-0.5, -0.2, 0.6, 1.7, 1.9});
  const Tensor weight = Tensor::from<double>(Shape{1, 1, 1, 5}, {1, 2, 4, 8, 16});
  auto quantized = fakeQuantize(map, params, true, weight);
  ASSERT_TRUE(quantized.ok()) << quantized.error().message;
  const auto by_map = quantized->by_map.as<double>();
  EXPECT_EQ(std::vector<double>(by_map.begin(), by_map.end()),
            (std::vector<double>{0, 2, 4, 8, 0}));
  const double scale = 1 / std::sqrt(5.0 * 3.0);
  EXPECT_NEAR(static_cast<double>(quantized->by_low[0]), (1 + 16) * scale, 1e-6);
  // Inside q - x / step, outside q.
  EXPECT_NEAR(static_cast<double>(quantized->by_step[0]),
              (1 * 0 + 2 * 0.4 + 4 * (1 - 1.2) + 8 * (3 - 3.4) + 16 * 3) * scale, 1e-6);

  const QuantizerParams two{QuantizerKind::two_level, 1, Granularity::tensor, {-1.0F}, {1.5F}};
  const Tensor points = Tensor::from<double>(Shape{1, 1, 1, 4}, {-1.1, -0.9, 1.9, 2.1});
  const Tensor ones = Tensor::from<double>(Shape{1, 1, 1, 4}, {1, 1, 1, 1});
  auto passed = fakeQuantize(points, two, false, ones);
  ASSERT_TRUE(passed.ok());
  const auto by_point = passed->by_map.as<double>();
  EXPECT_EQ(std::vector<double>(by_point.begin(), by_point.end()),
            (std::vector<double>{0, 1, 1, 0}));
  EXPECT_FALSE(fakeQuantize(points, two, true, ones).ok());
}

QuantizerParams tableParams(int bits, std::vector<float> levels) {
  QuantizerParams params;
  params.kind = QuantizerKind::levels;
  params.bits = bits;
  params.levels = std::move(levels);
  return params;
}

TEST(FakeQuantizer, OfATableGivesWhatTheCodecGivesBitForBit) {
  for (int bits = 1; bits <= 8; ++bits) {
    std::mt19937_64 random(static_cast<std::uint64_t>(bits));
    std::vector<float> levels;
    for (int i = 0; i < 1 << bits; ++i) {
      levels.push_back(-2.0F + 0.001F * static_cast<float>(random() % 4000));
    }
    std::sort(levels.begin(), levels.end());
    const QuantizerParams params = tableParams(bits, levels);
    const Tensor map = singleOf(uniformTensor(Shape{1, 3, 7, 9}, 3, -3, 3));
    auto quantized = fakeQuantize(map, params, bits % 2 == 0, map);
    ASSERT_TRUE(quantized.ok()) << quantized.error().message;
    std::vector<std::uint8_t> symbols(map.as<float>().size());
    quantize(map, params, symbols);
    Tensor expected(DType::f32, map.shape());
    dequantize(symbols, params, expected.mutableView());
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      ASSERT_EQ(quantized->output.as<float>()[i], expected.as<float>()[i]) << i;
    }
  }
}

TEST(FakeQuantizer, OfATablePassesTheDeclaredSurrogateBack) {
  // The surrogate's window is [-0.5, 5.5]; symbols are 0 0 1 2 3 3.
  const QuantizerParams params = tableParams(2, {0.0F, 1.0F, 2.0F, 4.5F});
  const Tensor map = Tensor::from<double>(Shape{1, 1, 1, 6}, {-0.6, -0.4, 1.2, 3.1, 5.7, 5.8});
  const Tensor weight = Tensor::from<double>(Shape{1, 1, 1, 6}, {1, 2, 4, 8, 16, 32});
  auto quantized = fakeQuantize(map, params, true, weight);
  ASSERT_TRUE(quantized.ok()) << quantized.error().message;
  const auto by_map = quantized->by_map.as<double>();
  EXPECT_EQ(std::vector<double>(by_map.begin(), by_map.end()),
            (std::vector<double>{0, 2, 4, 8, 16, 0}));
  const double scale = 1 / std::sqrt(6.0 * 3.0);
  const double sums[] = {1 + 2, 4, 8, 16 + 32};
  ASSERT_EQ(quantized->by_levels.size(), 4u);
  // The symbols held, <output, weight> has this slope by each level; finite differences show it.
  const auto product = [&](const QuantizerParams& at) {
    auto moved = fakeQuantize(map, at, false, weight);
    double sum = 0;
    for (std::size_t i = 0; i < 6; ++i) {
      sum += moved->output.as<double>()[i] * weight.as<double>()[i];
    }
    return sum;
  };
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(static_cast<double>(quantized->by_levels[i]), sums[i] * scale, 1e-5);
    QuantizerParams up = params;
    QuantizerParams down = params;
    up.levels[i] += 0.015625F;
    down.levels[i] -= 0.015625F;
    EXPECT_NEAR((product(up) - product(down)) / 0.03125 * scale,
                static_cast<double>(quantized->by_levels[i]), 1e-5);
  }
}

TEST(FakeQuantizer, OfATableHasClusteringAndRateLossesWithTheirGradients) {
  const QuantizerParams params = tableParams(2, {-0.5F, 0.1F, 0.2F, 1.1F});
  const Tensor map = uniformTensor(Shape{2, 2, 3, 4}, 12, -1, 1.5);
  auto loss = clusteringLoss(map, params);
  ASSERT_TRUE(loss.ok()) << loss.error().message;
  double expected = 0;
  for (const double x : map.as<double>()) {
    double nearest = 1e9;
    for (const float level : params.levels) {
      nearest = std::min(nearest, std::pow(x - static_cast<double>(level), 2));
    }
    expected += nearest / 48;
  }
  EXPECT_NEAR(loss->loss, expected, 1e-9);
  expectLossGradient(map, [&](const Tensor& at) { return clusteringLoss(at, params); });
  expectLossGradient(
      map, [&](const Tensor& at) { return rateLoss(at, params, {}); }, 1e-4);
  // Equidistant levels give the rate of the uniform quantizer.
  const QuantizerParams even = tableParams(2, {0.0F, 0.5F, 1.0F, 1.5F});
  EXPECT_NEAR(rateLoss(map, even, {})->loss,
              rateLoss(map, uniformParams(2, {0.0F}, {0.5F}), {})->loss, 1e-9);
}

TEST(ClusteringLoss, IsTheMeanSquaredDistanceToTheNearestLevelWithItsGradient) {
  const QuantizerParams params = uniformParams(2, {-0.5F, 0.1F}, {0.4F, 0.25F});
  const Tensor map = uniformTensor(Shape{2, 2, 3, 4}, 12, -1, 1.5);
  auto loss = clusteringLoss(map, params);
  ASSERT_TRUE(loss.ok()) << loss.error().message;
  double expected = 0;
  for (std::size_t i = 0; i < 48; ++i) {
    const std::size_t c = i / 12 % 2;
    double nearest = 1e9;
    for (int q = 0; q < 4; ++q) {
      const double level = static_cast<double>(params.low[c]) +
                           static_cast<double>(params.step[c]) * static_cast<double>(q);
      nearest = std::min(nearest, std::pow(map.as<double>()[i] - level, 2));
    }
    expected += nearest / 48;
  }
  EXPECT_NEAR(loss->loss, expected, 1e-9);
  expectLossGradient(map, [&](const Tensor& at) { return clusteringLoss(at, params); });
}

TEST(RateLoss, IsNearTheCodersLengthAtLevelsAndHasItsGradient) {
  for (const int bits : {1, 2, 3, 4}) {
    SCOPED_TRACE(fmt::format("{} bits", bits));
    const QuantizerParams params = uniformParams(bits, {0.0F}, {1.0F});
    const auto top = static_cast<double>((1 << bits) - 1);
    const TensorType type{DType::f32, Shape{1, 3, 6, 7}};
    Tensor map = uniformTensor(type.shape, 31, -0.8 * top, 1.2 * top);
    Tensor at_levels(DType::f64, type.shape);
    std::vector<std::uint8_t> symbols(map.as<double>().size());
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      symbols[i] = static_cast<std::uint8_t>(std::clamp(std::round(map.as<double>()[i]), 0.0, top));
      at_levels.mutableAs<double>()[i] = static_cast<double>(symbols[i]);
    }
    const SymbolLayout layout = symbolLayout({type, params, {}});
    auto table = RateTable::create(layout, {});
    ASSERT_TRUE(table.ok());
    auto loss = rateLoss(at_levels, params, {});
    ASSERT_TRUE(loss.ok()) << loss.error().message;
    const double expected = table->rate(symbols).bits;
    EXPECT_NEAR(loss->loss, expected, 0.01 * expected + 0.5);
    // Away from the decision thresholds, where the contexts change.
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      map.mutableAs<double>()[i] =
          at_levels.as<double>()[i] + 0.4 * std::sin(static_cast<double>(i));
    }
    expectLossGradient(
        map, [&](const Tensor& at) { return rateLoss(at, params, {}); }, 1e-4);
  }
  EXPECT_FALSE(
      rateLoss(Tensor(DType::f64, Shape{1, 1, 2, 2}), uniformParams(5, {0}, {1}), {}).ok());
}

}  // namespace
}  // namespace narrows::test
