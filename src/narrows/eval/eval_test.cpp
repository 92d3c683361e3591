#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "narrows/base/file.h"
#include "narrows/codec/context_tables.h"
#include "narrows/codec/frame.h"
#include "narrows/eval/engine_check.h"
#include "narrows/eval/parallel.h"
#include "narrows/eval/sweep.h"

namespace narrows {
namespace {

constexpr std::int64_t kSide = 24;
constexpr std::int64_t kClasses = 5;
constexpr unsigned kSeed = 20;

Tensor randomTensor(const Shape& shape, std::mt19937& random, float scale) {
  std::normal_distribution<float> normal(0.0F, scale);
  Tensor tensor(DType::f32, shape);
  for (float& value : tensor.mutableAs<float>()) value = normal(random);
  return tensor;
}

ValueId addConv(Graph& graph, ValueId x, std::int64_t channels, std::int64_t stride,
                std::mt19937& random, const std::string& name) {
  const std::int64_t in = graph.shape(x)[1];
  const Shape shape{channels, in, 3, 3};
  const ValueId weight = graph.addConstant(
      name + ".w", randomTensor(shape, random, std::sqrt(2.0F / static_cast<float>(9 * in))));
  Conv2d conv;
  conv.window.kernel = {3, 3};
  conv.window.stride = {stride, stride};
  conv.window.pads = {1, 1, 1, 1};
  const ValueId sum = *graph.add(conv, {x, weight}, name);
  return *graph.add(Unary{UnaryKind::relu}, {sum}, name + ".relu", name + ".out");
}

/// Two convolutions in sequence, one of them in two branches, and a classifier.
Graph makeClassifier() {
  std::mt19937 random(kSeed);
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 3, kSide, kSide}});
  const ValueId stem = addConv(graph, x, 8, 2, random, "stem");
  const ValueId left = addConv(graph, stem, 8, 1, random, "left");
  const ValueId right = addConv(graph, stem, 8, 1, random, "right");
  const ValueId joined = *graph.add(Concat{1}, {left, right}, "join");
  const ValueId pooled = *graph.add(GlobalPool{}, {joined}, "pool");
  const ValueId flat = *graph.add(Reshape{{1, 16}}, {pooled}, "flat");
  const ValueId weight = graph.addConstant("fc.w", randomTensor(Shape{16, kClasses}, random, 1.0F));
  const ValueId logits = *graph.add(Gemm{}, {flat, weight}, "logits");
  EXPECT_TRUE(graph.setOutputs({logits}).ok());
  return graph;
}

ModelDescription makeDescription() {
  ModelDescription description;
  description.name = "test";
  description.preprocessing.width = kSide;
  description.preprocessing.height = kSide;
  description.head.kind = HeadKind::classification;
  description.head.classes = kClasses;
  return description;
}

/// Pictures of smooth random colours in a folder of their own.
class EvalTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kPictures = 10;

  void SetUp() override {
    auto created = TemporaryDirectory::create("narrows-eval");
    ASSERT_TRUE(created.ok());
    directory_.emplace(std::move(*created));
    std::mt19937 random(kSeed + 1);
    data_.layout = DataLayout::class_folders;
    data_.truth = TruthKind::none;
    for (std::size_t i = 0; i < kPictures; ++i) {
      Image image = makeImage({40, 32});
      const int red = static_cast<int>(random() % 200), step = 1 + static_cast<int>(random() % 5);
      for (std::size_t at = 0; at < image.rgb.size(); ++at) {
        image.rgb[at] = static_cast<std::uint8_t>(
            (red + step * static_cast<int>(at / 3 % 40) + 40 * static_cast<int>(at % 3)) % 256);
      }
      const auto path = directory_->path() / fmt::format("{}.png", i);
      auto png = encodePng(image);
      ASSERT_TRUE(png.ok());
      ASSERT_TRUE(writeFileAtomically(path, *png).ok());
      data_.items.push_back({path, fmt::format("{}", i), static_cast<int>(i % kClasses), {}});
    }
    auto engine = makeEngine("reference");
    ASSERT_TRUE(engine.ok());
    engine_ = std::move(*engine);
  }

  CutSweep measure(const std::string& cut_name, const SweepOptions& options) {
    auto sweep = Sweep::create(*engine_, graph_, description_, data_, options);
    EXPECT_TRUE(sweep.ok()) << sweep.error().message;
    auto cut = findCut(graph_, cut_name);
    EXPECT_TRUE(cut.ok()) << cut.error().message;
    PictureSource calibration(std::span(data_.items).first(4), description_.preprocessing);
    auto measured = sweep->measureCut(*cut, calibration);
    EXPECT_TRUE(measured.ok()) << measured.error().message;
    return std::move(*measured);
  }

  std::optional<TemporaryDirectory> directory_;
  Graph graph_ = makeClassifier();
  ModelDescription description_ = makeDescription();
  DataSet data_;
  std::unique_ptr<Engine> engine_;
};

SweepOptions optionsFor(std::vector<QuantizerSpec> quantizers, std::size_t threads = 1) {
  SweepOptions options;
  options.quantizers = std::move(quantizers);
  options.coders = {
      {CoderKind::raw}, {CoderKind::deflate}, {CoderKind::lzma}, {CoderKind::context}};
  options.slow_coder_frames = 3;
  options.threads = threads;
  return options;
}

TEST_F(EvalTest, RawFramesHaveTheSizeThatBitsSay) {
  const std::size_t elements = 8 * (kSide / 2) * (kSide / 2);
  const CutSweep sweep =
      measure("stem.out", optionsFor({{QuantizerKind::uniform, 8, Granularity::channel},
                                      {QuantizerKind::uniform, 3, Granularity::tensor},
                                      {QuantizerKind::two_level, 1, Granularity::tensor},
                                      {QuantizerKind::none, 8, Granularity::tensor}}));
  const std::vector<std::size_t> bits{8, 3, 1, 32};
  ASSERT_EQ(sweep.rows.size(), bits.size());
  for (std::size_t i = 0; i < bits.size(); ++i) {
    const CoderFigures& raw = sweep.rows[i].coders[0];
    EXPECT_EQ(raw.frames, kPictures);
    EXPECT_EQ(raw.worst_bytes, kFrameHeaderBytes + (elements * bits[i] + 7) / 8);
    EXPECT_EQ(raw.mean_bytes, static_cast<double>(raw.worst_bytes));
    const CoderFigures& deflate = sweep.rows[i].coders[1];
    EXPECT_EQ(deflate.frames, kPictures);
    EXPECT_LE(deflate.mean_bytes, raw.mean_bytes);
    EXPECT_LE(deflate.mean_bytes, static_cast<double>(deflate.worst_bytes));
    EXPECT_EQ(sweep.rows[i].coders[2].frames, 3u);
  }
}

TEST_F(EvalTest, AnInterfaceWithoutLossAgreesFully) {
  const CutSweep sweep =
      measure("stem.out", optionsFor({{QuantizerKind::none, 8, Granularity::tensor}}));
  EXPECT_EQ(sweep.rows[0].accuracy.primary, 100.0);
}

TEST_F(EvalTest, TruthIsWhatDecidesWhereThereIsSome) {
  data_.truth = TruthKind::classes;
  SweepOptions options = optionsFor({{QuantizerKind::none, 8, Granularity::tensor}});
  auto sweep = Sweep::create(*engine_, graph_, description_, data_, options);
  ASSERT_TRUE(sweep.ok());
  EXPECT_TRUE(sweep->baseline().against_truth);
  // Five classes, top-5: every label is among them.
  EXPECT_EQ(sweep->baseline().uncut.secondary, 100.0);
  EXPECT_LT(sweep->baseline().uncut.primary, 100.0);
  const CutSweep measured = measure("stem.out", options);
  EXPECT_EQ(measured.rows[0].accuracy.primary, sweep->baseline().uncut.primary);
}

TEST(Scorer, WantsSomethingToFind) {
  ModelDescription description;
  description.head.kind = HeadKind::yolov3;
  DataSet data;
  data.items.resize(2);
  std::vector<Prediction> reference(2);
  const auto nothing = Scorer::create(description, data, reference);
  ASSERT_FALSE(nothing.ok());
  EXPECT_NE(nothing.error().message.find("detects nothing"), std::string::npos);
  reference[1].detections.push_back({0, 0.9F, {0.1F, 0.1F, 0.5F, 0.5F}});
  const auto scorer = Scorer::create(description, data, reference);
  ASSERT_TRUE(scorer.ok()) << scorer.error().message;
  EXPECT_EQ(scorer->uncut().primary, 100.0);
  data.truth = TruthKind::boxes;
  EXPECT_FALSE(Scorer::create(description, data, reference).ok());
}

TEST(Scorer, ASampleIsScoredLikeADataSetOfItsPictures) {
  ModelDescription description;
  description.head.kind = HeadKind::yolov3;
  DataSet data;
  data.items.resize(4);
  std::vector<Prediction> reference(4);
  std::vector<Prediction> answers(4);
  for (std::size_t i = 0; i < 4; ++i) {
    const auto x = 0.1F * static_cast<float>(i);
    reference[i].detections.push_back({0, 0.9F, {x, 0.1F, x + 0.4F, 0.5F}});
    // Half of the answers look elsewhere, with more confidence.
    const float y = i % 2 == 0 ? 0.1F : 0.5F;
    answers[i].detections.push_back({0, 0.5F + x, {x, y, x + 0.4F, y + 0.4F}});
  }
  const auto whole = Scorer::create(description, data, reference);
  ASSERT_TRUE(whole.ok());
  const std::vector<std::size_t> sample{3, 0, 3, 2};
  data.items.resize(sample.size());
  std::vector<Prediction> sampled_reference;
  std::vector<Prediction> sampled_answers;
  for (const std::size_t i : sample) {
    sampled_reference.push_back(reference[i]);
    sampled_answers.push_back(answers[i]);
  }
  const auto part = Scorer::create(description, data, sampled_reference);
  ASSERT_TRUE(part.ok());
  EXPECT_DOUBLE_EQ(whole->primary(answers, sample), part->score(sampled_answers).primary);
  EXPECT_LT(whole->primary(answers, sample), 60);
  EXPECT_EQ(whole->primary(answers, std::vector<std::size_t>{0, 2, 2}), 100);
}

TEST_F(EvalTest, ResultsDoNotDependOnTheNumberOfThreads) {
  const std::vector<QuantizerSpec> quantizers{{QuantizerKind::uniform, 2, Granularity::channel},
                                              {QuantizerKind::uniform, 1, Granularity::tensor}};
  const CutSweep one = measure("stem.out", optionsFor(quantizers, 1));
  const CutSweep three = measure("stem.out", optionsFor(quantizers, 3));
  for (std::size_t i = 0; i < quantizers.size(); ++i) {
    EXPECT_EQ(one.rows[i].accuracy.primary, three.rows[i].accuracy.primary);
    for (std::size_t c = 0; c < 4; ++c) {
      EXPECT_EQ(one.rows[i].coders[c].mean_bytes, three.rows[i].coders[c].mean_bytes);
      EXPECT_EQ(one.rows[i].coders[c].worst_bytes, three.rows[i].coders[c].worst_bytes);
    }
  }
}

TEST_F(EvalTest, ContextCoderIsFittedToMapsOfTheCalibration) {
  auto cut = findCut(graph_, "left.out+right.out");
  ASSERT_TRUE(cut.ok());
  const auto fit = [&](std::size_t threads, const QuantizerSpec& spec) {
    PictureSource pictures(data_.items, description_.preprocessing);
    auto calibration =
        calibrateCut(*engine_, graph_, *cut, description_, pictures, Granularity::channel, threads);
    EXPECT_TRUE(calibration.ok());
    auto interfaces = calibration->fit(spec, {CoderKind::context});
    EXPECT_TRUE(interfaces.ok());
    // What a coder other than it brings back is the plain coder.
    std::vector<FeatureInterface> plain = *interfaces;
    EXPECT_TRUE(calibration->fitCoder(plain, {CoderKind::zstd, 3}).ok());
    for (const FeatureInterface& interface : plain) {
      EXPECT_EQ(interface.coder, (CoderParams{CoderKind::zstd, 3}));
    }
    return std::move(*interfaces);
  };
  const QuantizerSpec spec{QuantizerKind::uniform, 3, Granularity::channel};
  const std::vector<FeatureInterface> one = fit(1, spec);
  ASSERT_EQ(one.size(), 2u);
  EXPECT_EQ(one, fit(3, spec));
  for (const FeatureInterface& interface : one) EXPECT_FALSE(interface.coder.tables.empty());
  EXPECT_NE(one[0].coder.tables, one[1].coder.tables);
  for (const FeatureInterface& interface : fit(1, {QuantizerKind::none, 8, Granularity::tensor})) {
    EXPECT_TRUE(interface.coder.tables.empty());
  }
}

TEST_F(EvalTest, FittedTablesSaveBytes) {
  SweepOptions options = optionsFor({{QuantizerKind::uniform, 4, Granularity::channel}});
  const FeatureInterface like{{DType::f32, Shape{1, 8, kSide / 2, kSide / 2}},
                              {QuantizerKind::uniform, 4, Granularity::channel, {}, {}},
                              {}};
  CoderParams standard{CoderKind::context};
  auto tables = ContextTables::standard(symbolLayout(like)).serialize();
  ASSERT_TRUE(tables.ok());
  standard.tables = *tables;
  options.coders = {{CoderKind::context}, standard};
  const CutSweep sweep = measure("stem.out", options);
  EXPECT_LT(sweep.rows[0].coders[0].mean_bytes, sweep.rows[0].coders[1].mean_bytes);
}

TEST_F(EvalTest, CutsOfSeveralTensorsAreMeasuredTogether) {
  const CutSweep both = measure("left.out+right.out",
                                optionsFor({{QuantizerKind::uniform, 8, Granularity::channel}}));
  const std::size_t elements = 8 * (kSide / 2) * (kSide / 2);
  EXPECT_EQ(both.rows[0].coders[0].worst_bytes, 2 * (kFrameHeaderBytes + elements));
}

TEST_F(EvalTest, PicturesAreSentAsSamplesJpegOrFile) {
  auto sweep = Sweep::create(*engine_, graph_, description_, data_, optionsFor({{}}));
  ASSERT_TRUE(sweep.ok());
  auto raw = sweep->measureImage({ImageCoding::raw, 100});
  ASSERT_TRUE(raw.ok());
  EXPECT_EQ(raw->mean_bytes, kFrameHeaderBytes + 3.0 * kSide * kSide);
  EXPECT_EQ(raw->accuracy.primary, 100.0);
  auto jpeg = sweep->measureImage({ImageCoding::jpeg, 30});
  ASSERT_TRUE(jpeg.ok());
  EXPECT_LT(jpeg->mean_bytes, raw->mean_bytes);
  auto original = sweep->measureImage({ImageCoding::original, 100});
  ASSERT_TRUE(original.ok());
  EXPECT_EQ(original->mean_bytes,
            sweep->baseline().file_bytes + static_cast<double>(kFrameHeaderBytes));
}

TEST_F(EvalTest, EngineOptionsAreComparedWithThePlainRun) {
  auto fast = makeEngine(defaultEngineName());
  ASSERT_TRUE(fast.ok());
  EngineCheckOptions options;
  options.kept_weights = 0;
  auto streamed = checkEngine(**fast, graph_, description_, data_, data_, options);
  ASSERT_TRUE(streamed.ok()) << streamed.error().message;
  EXPECT_EQ(streamed->pictures, kPictures);
  EXPECT_FALSE(streamed->against_truth);
  // The same numbers from weights that are not held.
  EXPECT_EQ(streamed->changed.accuracy.primary, 100.0);
  EXPECT_LT(streamed->changed.memory.weights, streamed->plain.memory.weights);
  EXPECT_GT(streamed->plain.time, Seconds(0));
  options = {};
  options.precision = Precision::int8;
  auto integers = checkEngine(**fast, graph_, description_, data_, data_, options);
  ASSERT_TRUE(integers.ok()) << integers.error().message;
  EXPECT_GE(integers->changed.accuracy.primary, 80.0);
  options.precision = Precision::bf16;
  auto rounded = checkEngine(**fast, graph_, description_, data_, data_, options);
  if (rounded.ok()) {
    EXPECT_GE(rounded->changed.accuracy.primary, 80.0);
  } else {
    EXPECT_NE(rounded.error().message.find("bf16"), std::string::npos) << rounded.error().message;
  }
  options.precision = Precision::int8;
  DataSet none = data_;
  none.items.clear();
  auto empty = checkEngine(**fast, graph_, description_, none, data_, options);
  ASSERT_FALSE(empty.ok());
  EXPECT_EQ(empty.error().message, "the data set has no pictures");
}

TEST_F(EvalTest, SaysWhichPictureCannotBeRead) {
  ASSERT_TRUE(writeFileAtomically(data_.items[3].image, asBytes("no picture")).ok());
  auto sweep = Sweep::create(*engine_, graph_, description_, data_, optionsFor({{}}));
  ASSERT_FALSE(sweep.ok());
  EXPECT_NE(sweep.error().message.find("3.png"), std::string::npos) << sweep.error().message;
}

TEST_F(EvalTest, RefusesDataThatDoesNotFitTheHead) {
  data_.truth = TruthKind::boxes;
  auto sweep = Sweep::create(*engine_, graph_, description_, data_, optionsFor({{}}));
  ASSERT_FALSE(sweep.ok());
  EXPECT_EQ(sweep.error().message, "the data set has boxes, but the model is a classifier");
  description_.preprocessing.width = kSide + 1;
  EXPECT_FALSE(Sweep::create(*engine_, graph_, description_, data_, optionsFor({{}})).ok());
}

TEST(ForEachFallible, GivesTheErrorOfTheLowestIndexOnOneThread) {
  ThreadPool pool(1);
  std::size_t calls = 0;
  const Status status = forEachFallible(pool, 10, [&](std::size_t index, std::size_t) -> Status {
    ++calls;
    if (index >= 4) return makeError("index {}", index);
    return {};
  });
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "index 4");
  EXPECT_EQ(calls, 5u);
}

}  // namespace
}  // namespace narrows
