#include "narrows/torch/trainer.h"

#include <gtest/gtest.h>

#include <cstring>

#include "narrows/graph/random_graph.h"
#include "narrows/zoo/zoo.h"

namespace narrows::test {
namespace {

/// Pictures whose class is the brightest of three quarters.
TrainBatch quarterBatch(std::uint32_t seed, std::int64_t size, std::int64_t samples = 8) {
  TrainBatch batch;
  batch.pictures = randomTensor({DType::f32, Shape{samples, 3, size, size}}, seed);
  auto values = batch.pictures.mutableAs<float>();
  for (std::int64_t n = 0; n < samples; ++n) {
    const int label = static_cast<int>((seed + static_cast<std::uint32_t>(n) * 7) % 3);
    batch.labels.push_back(label);
    const std::int64_t top = label == 2 ? size / 2 : 0;
    const std::int64_t left = label == 1 ? size / 2 : 0;
    for (std::int64_t c = 0; c < 3; ++c) {
      for (std::int64_t y = top; y < top + size / 2; ++y) {
        for (std::int64_t x = left; x < left + size / 2; ++x) {
          values[static_cast<std::size_t>(((n * 3 + c) * size + y) * size + x)] += 1.5F;
        }
      }
    }
  }
  return batch;
}

/// conv, norm, relu, conv, norm, relu, pool, gemm.
Graph smallClassifier() {
  Graph graph;
  const auto weights = [&](const std::string& name, Shape shape, std::uint32_t seed, float scale) {
    Tensor tensor = randomTensor({DType::f32, shape}, seed);
    for (float& value : tensor.mutableAs<float>()) value *= scale;
    return graph.addConstant(name, std::move(tensor));
  };
  const auto filled = [&](const std::string& name, std::int64_t count, float value) {
    Tensor tensor(DType::f32, Shape{count});
    for (float& element : tensor.mutableAs<float>()) element = value;
    return graph.addConstant(name, std::move(tensor));
  };
  ValueId x = graph.addInput("image", {DType::f32, Shape{1, 3, 12, 12}});
  std::int64_t channels = 3;
  for (const std::string name : {"a", "b"}) {
    Conv2d conv;
    conv.window = {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}};
    x = *graph.add(conv, {x, weights(name + ".weight", Shape{6, channels, 3, 3}, 3, 0.3F)},
                   name + ".conv");
    x = *graph.add(BatchNorm{},
                   {x, filled(name + ".scale", 6, 1), filled(name + ".bias", 6, 0),
                    filled(name + ".mean", 6, 0), filled(name + ".variance", 6, 1)},
                   name + ".norm");
    x = *graph.add(Unary{}, {x}, name + ".relu", name);
    channels = 6;
  }
  x = *graph.add(Reshape{{1, 54}}, {x});
  x = *graph.add(
      Gemm{}, {x, weights("out.weight", Shape{54, 3}, 5, 0.1F), filled("out.bias", 3, 0)}, "out");
  EXPECT_TRUE(graph.setOutputs({x}).ok());
  return graph;
}

TrainerOptions smallOptions() {
  TrainerOptions options;
  options.task = ClassificationTask{0.05, 0, true};
  options.average_decay = 0.9;
  TrainedInterface interface;
  interface.value = "a";
  interface.quantizer = {QuantizerKind::uniform, 2, Granularity::channel,
                         std::vector<float>(6, 0.0F), std::vector<float>(6, 0.4F)};
  interface.learned = true;
  interface.rate = true;
  options.interfaces.push_back(std::move(interface));
  return options;
}

void expectSameState(const Trainer& a, const Trainer& b) {
  const auto left = a.state();
  const auto right = b.state();
  ASSERT_EQ(left.size(), right.size());
  for (std::size_t i = 0; i < left.size(); ++i) {
    EXPECT_EQ(left[i].name, right[i].name);
    const ByteSpan x = left[i].tensor.view().bytes();
    const ByteSpan y = right[i].tensor.view().bytes();
    EXPECT_TRUE(std::equal(x.begin(), x.end(), y.begin(), y.end())) << left[i].name;
  }
}

constexpr StepFactors kFactors{0.01, 0.1, 1e-4};

/// Sixty steps, after which the task's loss is well below what it was.
void expectLearning(Trainer& trainer) {
  double first = 0;
  double last = 0;
  for (std::uint32_t i = 0; i < 60; ++i) {
    auto losses = trainer.step(quarterBatch(i + 1, 12, 16), kFactors);
    ASSERT_TRUE(losses.ok()) << losses.error().message;
    EXPECT_GT(losses->expected_bits, 0);
    if (i < 5) first += losses->task / 5;
    if (i >= 55) last += losses->task / 5;
  }
  EXPECT_LT(last, 0.6 * first);
}

TEST(Trainer, LearnsThroughAQuantizerWithAllTerms) {
  for (const OptimizerKind kind : {OptimizerKind::adamw, OptimizerKind::sgd}) {
    TrainerOptions options = smallOptions();
    options.optimizer.kind = kind;
    auto trainer = Trainer::create(smallClassifier(), options);
    ASSERT_TRUE(trainer.ok()) << trainer.error().message;
    expectLearning(*trainer);
    EXPECT_NE(trainer->quantizer(0).step, options.interfaces[0].quantizer.step);
    auto graph = trainer->graph(true);
    ASSERT_TRUE(graph.ok());
    EXPECT_TRUE(verify(*graph).ok());
  }
}

/// Product of the two states' tensors as vectors, over their lengths.
double cosine(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b,
              std::string_view start) {
  double product = 0;
  double left = 0;
  double right = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!a[i].name.starts_with(start) || a[i].tensor.dtype() != DType::f32) continue;
    const auto x = a[i].tensor.as<float>();
    const auto y = b[i].tensor.as<float>();
    for (std::size_t k = 0; k < x.size(); ++k) {
      product += static_cast<double>(x[k]) * y[k];
      left += static_cast<double>(x[k]) * x[k];
      right += static_cast<double>(y[k]) * y[k];
    }
  }
  return product / std::sqrt(left * right);
}

TEST(Trainer, ProductsInBf16GiveNearlyTheGradientsOfF32) {
  TrainerOptions options = smallOptions();
  options.interfaces.clear();  // a symbol that flips is a step in the loss
  auto exact = Trainer::create(smallClassifier(), options);
  options.bf16 = true;
  auto mixed = Trainer::create(smallClassifier(), options);
  ASSERT_TRUE(exact.ok() && mixed.ok());
  const TrainBatch batch = quarterBatch(1, 12, 16);
  auto a = exact->step(batch, kFactors);
  auto b = mixed->step(batch, kFactors);
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_NE(a->task, b->task);
  EXPECT_NEAR(a->task, b->task, 0.02 * a->task);
  // After one step from zero the optimizer's first moments are shares of the gradients.
  EXPECT_GT(cosine(exact->state(), mixed->state(), "first"), 0.99);
}

TEST(Trainer, LearnsWithProductsInBf16) {
  TrainerOptions options = smallOptions();
  options.bf16 = true;
  auto trainer = Trainer::create(smallClassifier(), options);
  ASSERT_TRUE(trainer.ok()) << trainer.error().message;
  expectLearning(*trainer);
}

TEST(Trainer, TenStepsRepeatBitForBitAndResumeExactly) {
  const Graph graph = smallClassifier();
  auto whole = Trainer::create(graph, smallOptions());
  auto again = Trainer::create(graph, smallOptions());
  auto resumed = Trainer::create(graph, smallOptions());
  ASSERT_TRUE(whole.ok() && again.ok() && resumed.ok());
  for (std::uint32_t i = 1; i <= 10; ++i) {
    const TrainBatch batch = quarterBatch(i, 12);
    auto a = whole->step(batch, kFactors);
    auto b = again->step(batch, kFactors);
    ASSERT_TRUE(a.ok() && b.ok());
    EXPECT_EQ(a->total, b->total);
    const bool fine = i < 5 || (i == 5 ? resumed->restore(whole->state()).ok()
                                       : resumed->step(batch, kFactors).ok());
    ASSERT_TRUE(fine);
  }
  expectSameState(*whole, *again);
  expectSameState(*whole, *resumed);
  EXPECT_EQ(resumed->steps(), 10);
}

TEST(Trainer, FrozenConstantsAndTheirStatisticsStay) {
  TrainerOptions options = smallOptions();
  options.interfaces.clear();
  options.frozen = {"a.weight", "a.scale", "a.bias"};
  const Graph graph = smallClassifier();
  auto trainer = Trainer::create(graph, options);
  ASSERT_TRUE(trainer.ok());
  ASSERT_TRUE(trainer->step(quarterBatch(1, 12), kFactors).ok());
  auto trained = trainer->graph();
  ASSERT_TRUE(trained.ok());
  const auto same = [&](const char* name) {
    const auto before = graph.value(graph.findValue(name)).constant->as<float>();
    const auto after = trained->value(trained->findValue(name)).constant->as<float>();
    return std::equal(before.begin(), before.end(), after.begin());
  };
  for (const char* name : {"a.weight", "a.scale", "a.bias", "a.mean", "a.variance"}) {
    EXPECT_TRUE(same(name)) << name;
  }
  for (const char* name : {"b.weight", "b.mean", "out.bias"}) EXPECT_FALSE(same(name)) << name;
}

TEST(Trainer, ATeacherNeedsNoLabels) {
  const Graph graph = smallClassifier();
  TrainerOptions options;
  options.teacher = Teacher{graph, 1, 2, {{"a", "a"}}, 1};
  options.batch_norm_training = false;
  auto same = Trainer::create(graph, options);
  ASSERT_TRUE(same.ok()) << same.error().message;
  TrainBatch batch = quarterBatch(1, 12);
  batch.labels.clear();
  auto at_teacher = same->step(batch, {0});
  ASSERT_TRUE(at_teacher.ok()) << at_teacher.error().message;
  EXPECT_NEAR(at_teacher->total, 0, 1e-9);

  options.interfaces = smallOptions().interfaces;
  auto quantized = Trainer::create(graph, options);
  ASSERT_TRUE(quantized.ok());
  double first = 0;
  double last = 0;
  for (std::uint32_t i = 0; i < 100; ++i) {
    auto losses = quantized->step(quarterBatch(i, 12), {0.005});
    ASSERT_TRUE(losses.ok());
    if (i < 5) first += losses->output;
    if (i >= 95) last += losses->output;
  }
  EXPECT_LT(last, 0.75 * first);
}

TEST(Trainer, FeaturesAloneRunTheNetworkNoFurther) {
  // What follows the feature takes one sample at a time, so that a batch cannot pass it.
  Graph graph = smallClassifier();
  const ValueId flat = *graph.add(Reshape{{54}}, {graph.findValue("b")});
  ASSERT_TRUE(graph.setOutputs({flat}).ok());
  TrainerOptions options;
  options.teacher = Teacher{graph, 0, 1, {{"a", "a"}}, 1};
  options.interfaces = smallOptions().interfaces;
  auto trainer = Trainer::create(graph, options);
  ASSERT_TRUE(trainer.ok()) << trainer.error().message;
  TrainBatch batch = quarterBatch(1, 12);
  const auto losses = trainer->step(batch, {0.005});
  ASSERT_TRUE(losses.ok()) << losses.error().message;
  EXPECT_GT(losses->feature, 0);
  EXPECT_EQ(losses->output, 0);

  options.teacher->output_weight = 1;
  auto whole = Trainer::create(graph, options);
  ASSERT_TRUE(whole.ok()) << whole.error().message;
  EXPECT_FALSE(whole->step(batch, {0.005}).ok());
}

TEST(Trainer, AChannelThatNothingUsesHasNoImportance) {
  Graph graph = smallClassifier();
  // Channel 2 of "a" is read with weights of zero.
  auto trainer = Trainer::create(graph, [] {
    TrainerOptions options = smallOptions();
    options.interfaces.clear();
    return options;
  }());
  ASSERT_TRUE(trainer.ok());
  auto state = trainer->state();
  for (NamedTensor& entry : state) {
    if (entry.name != "value of b.weight") continue;
    auto values = entry.tensor.mutableAs<float>();
    for (std::size_t o = 0; o < 6; ++o) {
      for (std::size_t k = 0; k < 9; ++k) values[(o * 6 + 2) * 9 + k] = 0;
    }
  }
  ASSERT_TRUE(trainer->restore(state).ok());
  const std::vector<std::string> values = {"a", "b"};
  auto importance = trainer->channelImportance(quarterBatch(3, 12), values);
  ASSERT_TRUE(importance.ok()) << importance.error().message;
  for (std::size_t c = 0; c < 6; ++c) {
    if (c == 2) {
      EXPECT_EQ((*importance)[0][c], 0);
    } else {
      EXPECT_GT((*importance)[0][c], 0);
    }
  }
  EXPECT_EQ(trainer->steps(), 0);
}

TEST(Trainer, WrongNamesStatesAndLossesAreErrors) {
  const Graph graph = smallClassifier();
  TrainerOptions options = smallOptions();
  options.interfaces[0].value = "nowhere";
  EXPECT_FALSE(Trainer::create(graph, options).ok());
  options = smallOptions();
  options.frozen = {"nothing"};
  EXPECT_FALSE(Trainer::create(graph, options).ok());
  auto trainer = Trainer::create(graph, smallOptions());
  ASSERT_TRUE(trainer.ok());
  auto state = trainer->state();
  state.pop_back();
  EXPECT_FALSE(trainer->restore(state).ok());
  auto before = Trainer::create(graph, smallOptions());
  TrainBatch batch = quarterBatch(1, 12);
  batch.pictures.mutableAs<float>()[5] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(trainer->step(batch, kFactors).ok());
  expectSameState(*trainer, *before);
  batch = quarterBatch(1, 12);
  batch.labels[2] = 3;
  EXPECT_FALSE(trainer->step(batch, kFactors).ok());
  expectSameState(*trainer, *before);
}

TEST(Trainer, ADetectorLearnsOnePicture) {
  auto zoo = buildZooModel("zoo:mini-yolo@64,classes=2,width=0.25", 1);
  ASSERT_TRUE(zoo.ok()) << zoo.error().message;
  DetectionTask task;
  task.head.kind = HeadKind::yolov3;
  task.head.classes = 2;
  for (const auto& list : zoo->anchors) {
    auto& anchors = task.head.anchors.emplace_back();
    for (const ZooAnchor& anchor : list) anchors.push_back({anchor.width, anchor.height});
  }
  task.width = 64;
  task.height = 64;
  TrainerOptions options;
  options.task = task;
  auto trainer = Trainer::create(zoo->graph, options);
  ASSERT_TRUE(trainer.ok()) << trainer.error().message;
  TrainBatch batch;
  batch.pictures = randomTensor({DType::f32, Shape{2, 3, 64, 64}}, 4);
  batch.boxes = {{{0, 0.4, 0.6, 0.3, 0.2}}, {{1, 0.7, 0.3, 0.5, 0.6}}};
  double first = 0;
  double last = 0;
  for (int i = 0; i < 40; ++i) {
    auto losses = trainer->step(batch, {0.003});
    ASSERT_TRUE(losses.ok()) << losses.error().message;
    if (i == 0) first = losses->task;
    last = losses->task;
  }
  EXPECT_LT(last, 0.3 * first);
}

}  // namespace
}  // namespace narrows::test
