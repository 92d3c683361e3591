#include "narrows/torch/dual_head.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "narrows/torch/gradient_check.h"
#include "narrows/torch/losses.h"
#include "narrows/torch/trainer.h"
#include "narrows/vision/head.h"
#include "narrows/zoo/zoo.h"

namespace narrows::test {
namespace {

constexpr std::int64_t kSize = 64;

/// YOLOv10-N with an eighth of its channels: 84 cells of three maps.
ZooModel smallModel() {
  auto model = buildZooModel("zoo:yolov10n@64,classes=2,width=0.25", 5);
  NARROWS_ASSERT(model.ok());
  return std::move(*model);
}

Head smallHead() {
  Head head;
  head.kind = HeadKind::yolov10;
  head.classes = 2;
  head.strides = {8, 16, 32};
  return head;
}

DualTask smallTask() {
  DualTask task;
  task.head = smallHead();
  task.width = kSize;
  task.height = kSize;
  return task;
}

TEST(DualHead, HasBothHeadsAndLeavesTheNetworkAsItIs) {
  const ZooModel model = smallModel();
  auto dual = addOneToManyHead(model.graph, smallHead());
  ASSERT_TRUE(dual.ok()) << dual.error().message;
  ASSERT_TRUE(verify(dual->graph).ok());
  EXPECT_EQ(dual->necks.size(), 3u);
  EXPECT_EQ(dual->fixed.size(), 1u);  // the weights of the bins

  // The copies are constants of the same elements, of all convolutions of both branches.
  std::size_t weights = 0;
  for (const auto& [name, copy] : dual->copies) {
    const ValueId a = model.graph.findValue(name);
    const ValueId b = dual->graph.findValue(copy);
    ASSERT_TRUE(a.valid() && b.valid()) << name;
    EXPECT_EQ(model.graph.value(a).constant, dual->graph.value(b).constant);
    weights += model.graph.shape(a).rank() == 4;
  }
  EXPECT_EQ(weights, 3u * 8);

  Graph both = dual->graph;
  ASSERT_TRUE(
      both.setOutputs({both.outputs()[0], both.findValue(dual->one), both.findValue(dual->many)})
          .ok());
  auto plain = TorchNetwork::create(model.graph);
  auto doubled = TorchNetwork::create(both);
  ASSERT_TRUE(plain.ok() && doubled.ok());
  Tensor picture(DType::f32, Shape{1, 3, kSize, kSize});
  float value = 0;
  for (float& sample : picture.mutableAs<float>()) sample = 0.5F + 0.5F * std::sin(value += 0.7F);
  const TensorView view = picture.view();
  auto expected = plain->run({&view, 1});
  auto found = doubled->run({&view, 1});
  ASSERT_TRUE(expected.ok() && found.ok());
  const auto same = [](const Tensor& a, const Tensor& b) {
    return a.type() == b.type() &&
           std::equal(a.as<float>().begin(), a.as<float>().end(), b.as<float>().begin());
  };
  EXPECT_TRUE(same((*expected)[0], (*found)[0]));
  EXPECT_TRUE(same((*found)[1], (*found)[2]));
  EXPECT_EQ((*found)[1].shape(), (Shape{1, 66, 84}));
}

TEST(DualHead, RefusesOtherNetworks) {
  auto other = buildZooModel("zoo:tiny-yolov3@64,classes=2,width=0.25", 1);
  ASSERT_TRUE(other.ok());
  EXPECT_FALSE(addOneToManyHead(other->graph, smallHead()).ok());
  Head head = smallHead();
  head.classes = 3;
  EXPECT_FALSE(addOneToManyHead(smallModel().graph, head).ok());
}

/// Logits (1, 4 * 16 + 2, 84) that say: at `cell` these distances, in cells, and this score.
class Logits {
 public:
  Logits() : tensor(DType::f64, Shape{1, 66, 84}) {
    for (int label = 0; label < 2; ++label) {
      for (std::size_t cell = 0; cell < 84; ++cell) set(64 + label, cell, -4);
    }
  }
  void set(int field, std::size_t cell, double value) {
    tensor.mutableAs<double>()[static_cast<std::size_t>(field) * 84 + cell] = value;
  }
  void say(std::size_t cell, std::array<int, 4> distances, int label, double logit) {
    for (int side = 0; side < 4; ++side) {
      set(16 * side + distances[static_cast<std::size_t>(side)], cell, 40);
    }
    set(64 + label, cell, logit);
  }
  Tensor tensor;
};

std::vector<std::size_t> cellsOf(const TaskAlignment& alignment, int box) {
  std::vector<std::size_t> cells;
  for (std::size_t i = 0; i < alignment.box.size(); ++i) {
    if (alignment.box[i] == box) cells.push_back(i);
  }
  return cells;
}

TEST(TaskAlignment, GivesEachBoxItsBestCellsAndTargets) {
  // Cell 2 + 8 * 2 of stride 8 has its middle at (20, 20); distances of 1 are a box of 16 x 16
  // pixels about it. Three neighbours say the same box less well or less surely.
  Logits logits;
  logits.say(18, {1, 1, 1, 1}, 1, 2);
  logits.say(19, {2, 1, 0, 1}, 1, 0);
  logits.say(26, {1, 1, 1, 1}, 1, 3);
  const std::vector<std::vector<BoxTarget>> boxes = {{{1, 20.0 / 64, 20.0 / 64, 0.25, 0.25}}};
  const DualTask task = smallTask();
  auto one = alignTask(logits.tensor, boxes, task, 1);
  ASSERT_TRUE(one.ok()) << one.error().message;
  EXPECT_EQ(cellsOf(*one, 0), (std::vector<std::size_t>{18}));
  // A single cell's target is its overlap.
  EXPECT_NEAR(one->target[18], 1, 1e-4);
  EXPECT_NEAR(one->targetSum(), one->target[18], 1e-12);

  auto many = alignTask(logits.tensor, boxes, task, 10);
  ASSERT_TRUE(many.ok());
  // Only cells whose middle lies within: 2 x 2 of stride 8 would touch its rim, so one of stride 8
  // and its neighbours' middles at 12 and 28 do not count; of stride 16 those at 24.
  for (const std::size_t cell : cellsOf(*many, 0)) {
    EXPECT_TRUE(cell == 18 || cell == 64 + 1 + 4 * 1 || cell == 80) << cell;
  }
  // 19 overlaps wholly, but its middle lies on the rim.
  EXPECT_EQ(many->box[19], -1);
}

TEST(TaskAlignment, IsThePublishedMetric) {
  Tensor logits = uniformTensor(Shape{2, 66, 84}, 3, -2, 2);
  const std::vector<std::vector<BoxTarget>> boxes = {
      {{0, 0.4, 0.4, 0.7, 0.6}, {1, 0.6, 0.5, 0.5, 0.8}, {0, 0.9, 0.9, 0.01, 0.01}},
      {{1, 0.3, 0.3, 0.3, 0.3}}};
  const DualTask task = smallTask();
  auto alignment = alignTask(logits, boxes, task, 10);
  ASSERT_TRUE(alignment.ok());
  std::size_t cell = 0;
  for (std::size_t n = 0; n < 2; ++n) {
    cell = n * 84;
    for (std::size_t b = 0; b < boxes[n].size(); ++b) {
      std::vector<std::size_t> cells;
      for (std::size_t i = 0; i < 84; ++i) {
        if (alignment->box[cell + i] == static_cast<int>(b)) cells.push_back(i);
      }
      EXPECT_LE(cells.size(), 10u);
      // The smallest box holds no cell's middle.
      EXPECT_EQ(cells.empty(), b == 2) << n << " " << b;
      double most = 0;
      for (const std::size_t i : cells) {
        EXPECT_GE(alignment->target[cell + i], 0);
        EXPECT_LE(alignment->target[cell + i], 1);
        most = std::max(most, alignment->target[cell + i]);
      }
      EXPECT_EQ(most > 0, !cells.empty());
    }
  }
  // f32 logits give the same cells.
  Tensor single(DType::f32, logits.shape());
  for (std::size_t i = 0; i < logits.as<double>().size(); ++i) {
    single.mutableAs<float>()[i] = static_cast<float>(logits.as<double>()[i]);
  }
  EXPECT_EQ(alignTask(single, boxes, task, 10)->box, alignment->box);
  // With beta 0 the score alone decides, with alpha 0 the overlap alone: top 1 of each.
  DualTask by_score = task;
  by_score.beta = 0;
  by_score.alpha = 1;
  auto best = alignTask(logits, {boxes.data() + 1, 1}, by_score, 1);
  EXPECT_FALSE(best.ok());  // one list for two samples
  best = alignTask(logits, boxes, by_score, 1);
  ASSERT_TRUE(best.ok());
  const BoxTarget& box = boxes[1][0];
  double highest = -1e9;
  std::size_t expected = 0;
  std::size_t index = 0;
  for (const std::int64_t stride : task.head.strides) {
    for (std::int64_t y = 0; y < kSize / stride; ++y) {
      for (std::int64_t x = 0; x < kSize / stride; ++x, ++index) {
        const double cx = (static_cast<double>(x) + 0.5) * static_cast<double>(stride) / 64;
        const double cy = (static_cast<double>(y) + 0.5) * static_cast<double>(stride) / 64;
        if (std::abs(cx - box.cx) >= box.w / 2 || std::abs(cy - box.cy) >= box.h / 2) continue;
        const double logit = logits.as<double>()[(66 + 65) * 84 + index];
        if (logit > highest) {
          highest = logit;
          expected = index;
        }
      }
    }
  }
  EXPECT_EQ(best->box[84 + expected], 0);
}

TEST(TaskAlignment, RefusesWhatDoesNotFit) {
  const DualTask task = smallTask();
  const std::vector<std::vector<BoxTarget>> none = {{}};
  EXPECT_TRUE(alignTask(Tensor(DType::f64, Shape{1, 66, 84}), none, task, 10).ok());
  EXPECT_FALSE(alignTask(Tensor(DType::f64, Shape{1, 66, 83}), none, task, 10).ok());
  EXPECT_FALSE(alignTask(Tensor(DType::f64, Shape{1, 65, 84}), none, task, 10).ok());
  EXPECT_FALSE(alignTask(Tensor(DType::f64, Shape{1, 2, 84}), none, task, 10).ok());
  const std::vector<std::vector<BoxTarget>> other = {{{2, 0.5, 0.5, 0.1, 0.1}}};
  EXPECT_FALSE(alignTask(Tensor(DType::f64, Shape{1, 66, 84}), other, task, 10).ok());
}

TEST(AlignedLoss, HasItsGradient) {
  const Tensor logits = uniformTensor(Shape{2, 66, 84}, 7, -2, 2);
  const std::vector<std::vector<BoxTarget>> boxes = {
      {{0, 0.4, 0.4, 0.7, 0.6}, {1, 0.6, 0.5, 0.5, 0.8}}, {}};
  const DualTask task = smallTask();
  for (const std::size_t top : {std::size_t{1}, task.many}) {
    auto alignment = alignTask(logits, boxes, task, top);
    ASSERT_TRUE(alignment.ok());
    auto here = alignedLoss(logits, boxes, *alignment, task);
    ASSERT_TRUE(here.ok()) << here.error().message;
    // Every 109th element: all cells and fields in turn.
    expectGradient([&](const Tensor& at) { return alignedLoss(at, boxes, *alignment, task)->loss; },
                   logits, here->gradients[0], 1e-5, 101);
  }
}

TEST(AlignedLoss, IsLeastWhereTheHeadSaysTheTruth) {
  Logits logits;
  logits.say(18, {1, 2, 1, 1}, 1, 40);
  for (std::size_t cell = 0; cell < 84; ++cell) {
    logits.set(64, cell, -40);
    if (cell != 18) logits.set(65, cell, -40);
  }
  // 16 x 24 pixels about the cell's middle, 8 more above.
  const std::vector<std::vector<BoxTarget>> boxes = {
      {{1, 20.0 / 64, 16.0 / 64, 16.0 / 64, 24.0 / 64}}};
  const DualTask task = smallTask();
  TaskAlignment alignment;
  alignment.box.assign(84, -1);
  alignment.target.assign(84, 0);
  alignment.box[18] = 0;
  alignment.target[18] = 1;
  EXPECT_NEAR(alignedLoss(logits.tensor, boxes, alignment, task)->loss, 0, 1e-6);
  // One wrong score costs its logit, one wrong distance more than nothing.
  logits.set(64, 30, 40);
  EXPECT_NEAR(alignedLoss(logits.tensor, boxes, alignment, task)->loss, 0.5 * 40, 1e-6);
  logits.set(64, 30, -40);
  logits.set(1, 18, 0);
  logits.set(3, 18, 40);
  EXPECT_GT(alignedLoss(logits.tensor, boxes, alignment, task)->loss, 1.5 * 40 / 4);
}

/// Dark pictures with one bright square each: red is class 0, blue class 1.
TrainBatch squares(std::uint32_t seed, std::int64_t samples) {
  std::mt19937 random(seed);
  TrainBatch batch;
  batch.pictures = Tensor(DType::f32, Shape{samples, 3, kSize, kSize});
  auto values = batch.pictures.mutableAs<float>();
  for (float& value : values) value = 0.1F + 0.1F * static_cast<float>(random() % 100) / 100;
  for (std::int64_t n = 0; n < samples; ++n) {
    const int label = static_cast<int>(random() % 2);
    const auto side = static_cast<std::int64_t>(14 + random() % 20);
    const auto left =
        static_cast<std::int64_t>(random() % static_cast<std::uint32_t>(kSize - side));
    const auto top = static_cast<std::int64_t>(random() % static_cast<std::uint32_t>(kSize - side));
    for (std::int64_t y = top; y < top + side; ++y) {
      for (std::int64_t x = left; x < left + side; ++x) {
        values[static_cast<std::size_t>(((n * 3 + 2 * label) * kSize + y) * kSize + x)] = 1;
      }
    }
    const auto share = [](std::int64_t pixels) { return static_cast<double>(pixels) / kSize; };
    batch.boxes.push_back({{label, share(left) + share(side) / 2, share(top) + share(side) / 2,
                            share(side), share(side)}});
  }
  return batch;
}

double boxIou(const Box& a, const BoxTarget& b) {
  const double w = std::min<double>(a.x2, b.cx + b.w / 2) - std::max<double>(a.x1, b.cx - b.w / 2);
  const double h = std::min<double>(a.y2, b.cy + b.h / 2) - std::max<double>(a.y1, b.cy - b.h / 2);
  if (w <= 0 || h <= 0) return 0;
  return w * h /
         (static_cast<double>(a.x2 - a.x1) * static_cast<double>(a.y2 - a.y1) + b.w * b.h - w * h);
}

TEST(DualHead, LearnsToDetectWithoutSuppression) {
  const ZooModel model = smallModel();
  TrainerOptions options;
  options.task = smallTask();
  auto trainer = Trainer::create(model.graph, options);
  ASSERT_TRUE(trainer.ok()) << trainer.error().message;
  double first = 0;
  double last = 0;
  constexpr std::uint32_t kSteps = 150;
  for (std::uint32_t i = 0; i < kSteps; ++i) {
    StepFactors factors;
    factors.learning_rate = 0.004 * std::min(1.0, static_cast<double>(i + 1) / 10);
    auto losses = trainer->step(squares(i % 12, 8), factors);
    ASSERT_TRUE(losses.ok()) << losses.error().message;
    if (i < 5) first += losses->task / 5;
    if (i >= kSteps - 5) last += losses->task / 5;
  }
  EXPECT_LT(last, 0.5 * first);

  auto graph = trainer->graph();
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(graph->nodeCount(), model.graph.nodeCount());
  EXPECT_EQ(graph->outputs().size(), 1u);
  auto network = TorchNetwork::create(*graph);
  ASSERT_TRUE(network.ok());
  ModelDescription description;
  description.head = smallHead();
  description.preprocessing.width = kSize;
  description.preprocessing.height = kSize;
  const TrainBatch batch = squares(3, 8);
  const TensorView view = batch.pictures.view();
  auto boxes = network->run({&view, 1});
  ASSERT_TRUE(boxes.ok()) << boxes.error().message;
  const TensorView all = (*boxes)[0].view();
  const std::size_t bytes = all.bytes().size() / 8;
  std::size_t found = 0;
  std::size_t given = 0;
  for (std::size_t n = 0; n < 8; ++n) {
    const TensorView of_sample({DType::f32, Shape{1, 6, 84}}, all.bytes().data() + n * bytes);
    auto prediction = decodeHead(description, {&of_sample, 1}, {kSize, kSize}, {});
    ASSERT_TRUE(prediction.ok()) << prediction.error().message;
    given += prediction->detections.size();
    if (prediction->detections.empty()) continue;
    const Detection& best = prediction->detections[0];
    found += best.label == batch.boxes[n][0].label && boxIou(best.box, batch.boxes[n][0]) > 0.5;
  }
  EXPECT_GE(found, 4u);
  // About one for each object, though nothing was suppressed.
  EXPECT_LE(given, 16u);
}

TEST(DualHead, RunsRepeatAndResumeBitForBit) {
  const ZooModel model = smallModel();
  TrainerOptions options;
  options.task = smallTask();
  options.frozen = {model.graph.value(model.graph.node(NodeId(0)).inputs[1]).name};
  auto whole = Trainer::create(model.graph, options);
  auto resumed = Trainer::create(model.graph, options);
  ASSERT_TRUE(whole.ok() && resumed.ok());
  ASSERT_TRUE(whole->step(squares(1, 2), {}).ok());
  ASSERT_TRUE(resumed->restore(whole->state()).ok());
  auto a = whole->step(squares(2, 2), {});
  auto b = resumed->step(squares(2, 2), {});
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->total, b->total);
}

}  // namespace
}  // namespace narrows::test
