#include "narrows/vision/head.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>

#include "narrows/vision/preprocess.h"

namespace narrows {
namespace {

float logit(double p) {
  return static_cast<float>(std::log(p / (1 - p)));
}

ModelDescription describe(HeadKind kind, std::int64_t classes) {
  ModelDescription description;
  description.preprocessing.width = 64;
  description.preprocessing.height = 32;
  description.head.kind = kind;
  description.head.classes = classes;
  return description;
}

Prediction decode(const ModelDescription& description, std::vector<const Tensor*> outputs,
                  ImageSize picture = {64, 32}, const HeadOptions& options = {}) {
  std::vector<TensorView> views;
  for (const Tensor* output : outputs) views.push_back(output->view());
  auto prediction = decodeHead(description, views, picture, options);
  EXPECT_TRUE(prediction.ok()) << prediction.error().message;
  return prediction.ok() ? std::move(*prediction) : Prediction{};
}

std::string errorOf(const ModelDescription& description, std::vector<const Tensor*> outputs) {
  std::vector<TensorView> views;
  for (const Tensor* output : outputs) views.push_back(output->view());
  auto prediction = decodeHead(description, views, {64, 32});
  return prediction.ok() ? "no error" : prediction.error().message;
}

void expectBox(const Box& got, const Box& want, float tolerance = 1e-5F) {
  EXPECT_NEAR(got.x1, want.x1, tolerance);
  EXPECT_NEAR(got.y1, want.y1, tolerance);
  EXPECT_NEAR(got.x2, want.x2, tolerance);
  EXPECT_NEAR(got.y2, want.y2, tolerance);
}

/// A Darknet map whose cells all say "nothing".
Tensor emptyMap(std::int64_t anchors, std::int64_t classes, std::int64_t height,
                std::int64_t width) {
  Tensor map(DType::f32, Shape{1, anchors * (5 + classes), height, width});
  std::fill(map.mutableAs<float>().begin(), map.mutableAs<float>().end(), -20.0F);
  return map;
}

void put(Tensor& map, std::int64_t channel, std::int64_t row, std::int64_t column, float value) {
  const Shape& shape = map.shape();
  map.mutableAs<float>()[static_cast<std::size_t>((channel * shape[2] + row) * shape[3] + column)] =
      value;
}

// A box is written into a random cell by the inverse of Darknet's formulas and must come back,
// under each resize rule.
TEST(YoloV3, DecodesWhatTheInverseFormulasEncode) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> uniform(0, 1);
    ModelDescription description = describe(HeadKind::yolov3, 3);
    description.preprocessing.rule = seed % 2 == 0 ? ResizeRule::stretch : ResizeRule::letterbox;
    description.head.anchors = {{{10, 14}, {23, 27}}, {{5, 8}}};
    const double scale_xy = seed % 3 == 0 ? 1.05 : 1.0;
    description.head.scale_xy = {1.0, scale_xy};
    const std::int64_t classes = 3, height = 4, width = 8;
    Tensor first = emptyMap(2, classes, 2, 4);
    Tensor second = emptyMap(1, classes, height, width);

    const auto column = static_cast<std::int64_t>(random() % 8);
    const auto row = static_cast<std::int64_t>(random() % 4);
    const double fx = 0.1 + 0.8 * uniform(random), fy = 0.1 + 0.8 * uniform(random);
    const double w = 4 + 10 * uniform(random), h = 4 + 10 * uniform(random);
    put(second, 0, row, column, logit((fx + 0.5 * (scale_xy - 1)) / scale_xy));
    put(second, 1, row, column, logit((fy + 0.5 * (scale_xy - 1)) / scale_xy));
    put(second, 2, row, column, static_cast<float>(std::log(w / 5)));
    put(second, 3, row, column, static_cast<float>(std::log(h / 8)));
    put(second, 4, row, column, logit(0.9));
    put(second, 5 + 2, row, column, logit(0.8));

    const ImageSize picture{200, 150};
    const Prediction prediction = decode(description, {&first, &second}, picture);
    auto map = makePixelMap(description.preprocessing, picture);
    ASSERT_TRUE(map.ok());
    const double cx = (static_cast<double>(column) + fx) * 8,
                 cy = (static_cast<double>(row) + fy) * 8;
    Box expected = map->toPicture(cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2);
    expected = {std::clamp(expected.x1, 0.0F, 1.0F), std::clamp(expected.y1, 0.0F, 1.0F),
                std::clamp(expected.x2, 0.0F, 1.0F), std::clamp(expected.y2, 0.0F, 1.0F)};
    if (!(expected.area() > 0)) {
      // The letterbox border holds no picture.
      EXPECT_TRUE(prediction.detections.empty());
      continue;
    }
    ASSERT_EQ(prediction.detections.size(), 1U);
    EXPECT_EQ(prediction.detections[0].label, 2);
    EXPECT_NEAR(prediction.detections[0].score, 0.72, 1e-5);
    expectBox(prediction.detections[0].box, expected);
  }
}

// Region semantics by hand: anchor 2 x 1 cells, sigmoid(0) = 0.5 puts the centre in the middle of
// cell (1, 0) of 4 x 2, exp(0) = 1 keeps the anchor; the classes' softmax is (1, e, 0) / (1 + e).
TEST(YoloV2, ByHand) {
  ModelDescription description = describe(HeadKind::yolov2, 3);
  description.head.anchors = {{{2, 1}}};
  Tensor map = emptyMap(1, 3, 2, 4);
  for (std::int64_t channel = 0; channel < 4; ++channel) put(map, channel, 0, 1, 0);
  put(map, 4, 0, 1, logit(0.9));
  put(map, 5, 0, 1, 0);
  put(map, 6, 0, 1, 1);
  Prediction prediction = decode(description, {&map});
  ASSERT_EQ(prediction.detections.size(), 1U);
  const double e = std::exp(1.0);
  EXPECT_EQ(prediction.detections[0].label, 1);
  EXPECT_NEAR(prediction.detections[0].score, 0.9 * e / (1 + e), 1e-5);
  // Centre (1.5, 0.5) cells, size (2, 1): x 0.5..2.5 of 4, y 0..1 of 2.
  expectBox(prediction.detections[0].box, {0.125F, 0, 0.625F, 0.5F});

  description.head.softmax = false;
  prediction = decode(description, {&map});
  ASSERT_EQ(prediction.detections.size(), 2U);
  EXPECT_NEAR(prediction.detections[0].score, 0.9 / (1 + 1 / e), 1e-5);
  EXPECT_NEAR(prediction.detections[1].score, 0.45, 1e-5);
}

TEST(Yolox, ByHand) {
  ModelDescription description = describe(HeadKind::yolox, 2);
  description.head.strides = {16, 32};
  // 4 x 2 cells of 16, then 2 x 1 of 32.
  Tensor rows(DType::f32, Shape{1, 10, 7});
  auto values = rows.mutableAs<float>();
  const std::vector<float> in_first = {0.5F, 0.25F, 0, 0, 0.8F, 0.1F, 0.9F};
  std::copy(in_first.begin(), in_first.end(), values.begin() + 5 * 7);  // cell (1, 1)
  const std::vector<float> in_second = {0, 0.5F, std::log(0.5F), 0, 0.7F, 1, 0.9F};
  std::copy(in_second.begin(), in_second.end(), values.begin() + 9 * 7);  // cell (1, 0)
  const Prediction prediction = decode(description, {&rows});
  ASSERT_EQ(prediction.detections.size(), 2U);
  EXPECT_NEAR(prediction.detections[0].score, 0.72, 1e-6);
  EXPECT_EQ(prediction.detections[0].label, 1);
  // Centre (1.5, 1.25) * 16 = (24, 20), size 16.
  expectBox(prediction.detections[0].box, {16 / 64.0F, 12 / 32.0F, 32 / 64.0F, 28 / 32.0F});
  EXPECT_EQ(prediction.detections[1].label, 0);
  // Centre (1, 0.5) * 32 = (32, 16), size (16, 32).
  expectBox(prediction.detections[1].box, {24 / 64.0F, 0, 40 / 64.0F, 1});
}

TEST(FastestDet, ByHand) {
  ModelDescription description = describe(HeadKind::fastestdet, 2);
  Tensor map(DType::f32, Shape{1, 7, 2, 4});
  put(map, 0, 1, 2, 0.9F);
  put(map, 1, 1, 2, std::atanh(0.5F));
  put(map, 2, 1, 2, std::atanh(-0.5F));
  put(map, 3, 1, 2, logit(0.25));
  put(map, 4, 1, 2, logit(0.5));
  put(map, 5, 1, 2, 0.2F);
  put(map, 6, 1, 2, 0.8F);
  const Prediction prediction = decode(description, {&map});
  ASSERT_EQ(prediction.detections.size(), 1U);
  EXPECT_EQ(prediction.detections[0].label, 1);
  EXPECT_NEAR(prediction.detections[0].score, std::pow(0.9, 0.6) * std::pow(0.8, 0.4), 1e-5);
  // Centre (2.5 / 4, 0.5 / 2), size (0.25, 0.5).
  expectBox(prediction.detections[0].box, {0.5F, 0, 0.75F, 0.5F});
}

TEST(UltraFace, OffsetsToPriorsByHand) {
  ModelDescription description = describe(HeadKind::ultraface_ssd, 1);
  description.head.class_offset = 1;
  description.head.strides = {32};
  description.head.anchors = {{{16, 8}, {100, 100}}};
  // Cells 2 x 1, two priors each.
  Tensor scores(DType::f32, Shape{1, 4, 2});
  Tensor boxes(DType::f32, Shape{1, 4, 4});
  scores.mutableAs<float>()[2 * 2 + 1] = 0.9F;  // cell 1, first prior
  scores.mutableAs<float>()[1 * 2 + 1] = 0.8F;  // cell 0, second prior, clipped to 64 x 32
  const std::vector<float> offsets = {2, -1, 5 * std::log(2.0F), 0};
  std::copy(offsets.begin(), offsets.end(), boxes.mutableAs<float>().begin() + 8);
  const Prediction prediction = decode(description, {&scores, &boxes});
  ASSERT_EQ(prediction.detections.size(), 2U);
  // Centre (48 + 0.1 * 2 * 16, 16 - 0.1 * 8) = (51.2, 15.2), size (32, 8); clipped at 64.
  expectBox(prediction.detections[0].box, {35.2F / 64, 11.2F / 32, 1, 19.2F / 32});
  // Centre (16, 16), size 64 x 32.
  expectBox(prediction.detections[1].box, {0, 0, 48 / 64.0F, 1});
}

TEST(NmsFree, KeepsOverlapsAndDropsStrangeClasses) {
  const ModelDescription description = describe(HeadKind::nms_free, 2);
  const Tensor rows = Tensor::from<float>(
      Shape{1, 5, 6},
      {0,  0,     32, 16, 0.9F, 1,  0,  0,    32, 16, 0.8F, 1,  0,  0,    32,
       16, 0.95F, 2,  0,  0,    32, 16, 0.7F, -1, 0,  0,    32, 16, 0.7F, std::nanf("")});
  const Prediction prediction = decode(description, {&rows});
  ASSERT_EQ(prediction.detections.size(), 2U);
  EXPECT_EQ(prediction.detections[0].score, 0.9F);
  expectBox(prediction.detections[1].box, {0, 0, 0.5F, 0.5F});
}

TEST(YoloV10, DistancesFromTheMiddleOfACell) {
  ModelDescription description = describe(HeadKind::yolov10, 2);
  description.head.strides = {16, 32};
  // Grids of 4 x 2 and 2 x 1 cells; rows are left, top, right, bottom and two scores.
  Tensor output(DType::f32, Shape{1, 6, 10});
  const auto set = [&](std::size_t cell, std::array<float, 6> values) {
    for (std::size_t row = 0; row < values.size(); ++row)
      output.mutableAs<float>()[row * 10 + cell] = values[row];
  };
  // Column 1, row 1 of the first grid: the middle is at (24, 24).
  set(5, {0.5F, 1, 1.5F, 0.5F, 0.9F, 0.6F});
  // Column 1 of the second grid: the middle is at (48, 16).
  set(9, {0.25F, 0.5F, 0.5F, 0.25F, 0.1F, 0.8F});
  const Prediction prediction = decode(description, {&output});
  ASSERT_EQ(prediction.detections.size(), 3U);
  EXPECT_EQ(prediction.detections[0].label, 0);
  expectBox(prediction.detections[0].box, {16.0F / 64, 8.0F / 32, 48.0F / 64, 1});
  EXPECT_EQ(prediction.detections[1].label, 1);
  expectBox(prediction.detections[1].box, {40.0F / 64, 0, 1, 24.0F / 32});
  // Nothing is suppressed: the other class of the first cell has the same box.
  EXPECT_EQ(prediction.detections[2].score, 0.6F);
  const Tensor narrow(DType::f32, Shape{1, 6, 9});
  EXPECT_EQ(errorOf(description, {&narrow}),
            "output 0 is f32 1x6x9; a yolov10 head of 2 classes needs f32 1x6x10");
}

TEST(Classification, TopFiveWithTiesAndOffset) {
  ModelDescription description = describe(HeadKind::classification, 6);
  description.head.class_offset = 1;
  const Tensor logits = Tensor::from<float>(Shape{1, 7, 1, 1}, {9, 1, 3, 3, 0, 2, 5});
  Prediction prediction = decode(description, {&logits});
  std::vector<int> labels;
  for (const ClassScore& entry : prediction.classes) labels.push_back(entry.label);
  EXPECT_EQ(labels, (std::vector<int>{5, 1, 2, 4, 0}));
  double sum = 0;
  for (double value : {9, 1, 3, 3, 0, 2, 5}) sum += std::exp(value);
  EXPECT_NEAR(prediction.classes[0].score, std::exp(5.0) / sum, 1e-6);
  description.head.softmax = false;
  EXPECT_EQ(decode(description, {&logits}).classes[0].score, 5.0F);
  const ModelDescription two = describe(HeadKind::classification, 2);
  const Tensor pair = Tensor::from<float>(Shape{1, 2}, {0, std::nanf("")});
  EXPECT_EQ(decode(two, {&pair}).classes.size(), 1U);
}

TEST(HeadOptions, ThresholdsAndLimitReplaceTheDescriptions) {
  ModelDescription description = describe(HeadKind::yolox, 1);
  description.head.strides = {16};
  Tensor rows(DType::f32, Shape{1, 8, 6});
  for (std::size_t i = 0; i < 8; ++i) {
    rows.mutableAs<float>()[i * 6 + 4] = 0.1F + 0.1F * static_cast<float>(i);
    rows.mutableAs<float>()[i * 6 + 5] = 1;
    rows.mutableAs<float>()[i * 6] = 0.5F;
    rows.mutableAs<float>()[i * 6 + 1] = 0.5F;
  }
  EXPECT_EQ(decode(description, {&rows}).detections.size(), 5U);  // 0.4 .. 0.8
  EXPECT_EQ(decode(description, {&rows}, {64, 32}, {0.05, {}, 300}).detections.size(), 8U);
  EXPECT_EQ(decode(description, {&rows}, {64, 32}, {0.05, {}, 3}).detections.size(), 3U);
}

TEST(HostileOutputs, ShapesAreCheckedAndNamed) {
  ModelDescription description = describe(HeadKind::yolov3, 3);
  description.head.anchors = {{{1, 1}}, {{1, 1}}};
  const Tensor good(DType::f32, Shape{1, 8, 2, 4});
  const Tensor narrow(DType::f32, Shape{1, 7, 2, 4});
  const Tensor batch(DType::f32, Shape{2, 8, 2, 4});
  const Tensor flat(DType::f32, Shape{1, 64});
  const Tensor integers(DType::i64, Shape{1, 8, 2, 4});
  const Tensor nothing(DType::f32, Shape{1, 8, 0, 4});
  EXPECT_EQ(errorOf(description, {&good, &good}), "no error");
  EXPECT_EQ(errorOf(description, {&nothing, &good}), "no error");
  EXPECT_EQ(errorOf(description, {&good}), "1 outputs; a yolov3 head needs 2");
  EXPECT_EQ(errorOf(description, {&good, &narrow}),
            "output 1 is f32 1x7x2x4; a yolov3 head of 3 classes needs f32 1x8x?x?");
  for (const Tensor* bad : {&batch, &flat, &integers}) {
    EXPECT_EQ(errorOf(description, {bad, &good}).find("output 0 is "), 0U);
  }
  ModelDescription faces = describe(HeadKind::ultraface, 1);
  const Tensor scores(DType::f32, Shape{1, 9, 1});
  const Tensor boxes(DType::f32, Shape{1, 8, 4});
  EXPECT_EQ(errorOf(faces, {&scores, &boxes}).find("output 1 is f32 1x8x4"), 0U);
  const ModelDescription classes = describe(HeadKind::classification, 10);
  EXPECT_EQ(errorOf(classes, {&flat}).find("output 0 is f32 1x64"), 0U);
}

TEST(HostileOutputs, NumbersThatAreNotFiniteAreDropped) {
  ModelDescription description = describe(HeadKind::yolov3, 1);
  description.head.anchors = {{{8, 8}}};
  for (float bad : {std::nanf(""), std::numeric_limits<float>::infinity(), 1e30F}) {
    Tensor map(DType::f32, Shape{1, 6, 2, 4});
    std::fill(map.mutableAs<float>().begin(), map.mutableAs<float>().end(), 3.0F);
    for (std::int64_t cell = 0; cell < 8; ++cell) put(map, 2, cell / 4, cell % 4, bad);
    EXPECT_TRUE(decode(description, {&map}).detections.empty()) << bad;
  }
}

/// The oracle: repeatedly takes the best of what is left and erases what it covers.
std::vector<Detection> slowSuppression(std::vector<Detection> left, double threshold) {
  std::vector<Detection> kept;
  while (!left.empty()) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < left.size(); ++i) {
      const bool better = left[i].score > left[best].score ||
                          (left[i].score == left[best].score && left[i].label < left[best].label);
      if (better) best = i;
    }
    const Detection winner = left[best];
    kept.push_back(winner);
    std::vector<Detection> rest;
    for (std::size_t i = 0; i < left.size(); ++i) {
      if (i == best) continue;
      const bool covered = left[i].label == winner.label &&
                           intersectionOverUnion(winner.box, left[i].box) > threshold;
      if (!covered) rest.push_back(left[i]);
    }
    left = rest;
  }
  return kept;
}

TEST(Suppression, LikeTheSlowOracle) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> uniform(0, 1);
    std::vector<Detection> candidates(120);
    for (Detection& candidate : candidates) {
      const float x = uniform(random), y = uniform(random);
      // Few distinct scores, so that ties occur.
      candidate = {static_cast<int>(random() % 3),
                   static_cast<float>(random() % 30) / 30,
                   {x, y, x + 0.3F * uniform(random), y + 0.3F * uniform(random)}};
    }
    const auto expected = slowSuppression(candidates, 0.3);
    EXPECT_EQ(suppressNonMaxima(candidates, 0.3, 1000), expected);
    const auto few = suppressNonMaxima(candidates, 0.3, 7);
    EXPECT_TRUE(std::equal(few.begin(), few.end(), expected.begin()));
    EXPECT_EQ(few.size(), 7U);
  }
}

TEST(IntersectionOverUnion, ByHand) {
  EXPECT_FLOAT_EQ(intersectionOverUnion({0, 0, 2, 2}, {1, 1, 3, 3}), 1.0F / 7);
  EXPECT_EQ(intersectionOverUnion({0, 0, 1, 1}, {1, 0, 2, 1}), 0.0F);
  EXPECT_EQ(intersectionOverUnion({0, 0, 1, 1}, {0, 0, 1, 1}), 1.0F);
  EXPECT_EQ(intersectionOverUnion({0, 0, 0, 0}, {0, 0, 0, 0}), 0.0F);
  EXPECT_EQ(intersectionOverUnion({1, 1, 0, 0}, {0, 0, 1, 1}), 0.0F);
}

}  // namespace
}  // namespace narrows
