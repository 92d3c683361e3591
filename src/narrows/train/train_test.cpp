#include <gtest/gtest.h>

#include <fstream>

#include "narrows/base/file.h"
#include "narrows/data/scenes.h"
#include "narrows/eval/validator.h"
#include "narrows/train/anchors.h"
#include "narrows/train/augment.h"
#include "narrows/train/batch_source.h"
#include "narrows/train/checkpoint.h"
#include "narrows/train/fit.h"
#include "narrows/zoo/zoo.h"

namespace narrows::test {
namespace {

namespace fs = std::filesystem;

/// A grey picture with one red rectangle, which is its box.
Example redExample(std::uint64_t seed) {
  Draw draw(seed);
  Example example;
  example.image = makeImage({64, 48}, 60, 60, 60);
  const auto x1 = static_cast<std::int64_t>(draw.between(0, 40));
  const auto y1 = static_cast<std::int64_t>(draw.between(0, 30));
  const auto w = static_cast<std::int64_t>(draw.between(8, 24));
  const auto h = static_cast<std::int64_t>(draw.between(8, 18));
  for (std::int64_t y = y1; y < y1 + h; ++y) {
    for (std::int64_t x = x1; x < x1 + w; ++x) {
      std::uint8_t* pixel = example.image.rgb.data() + (y * 64 + x) * 3;
      pixel[0] = 220;
      pixel[1] = pixel[2] = 0;
    }
  }
  example.boxes.push_back({3, (static_cast<double>(x1) + static_cast<double>(w) / 2) / 64,
                           (static_cast<double>(y1) + static_cast<double>(h) / 2) / 48,
                           static_cast<double>(w) / 64, static_cast<double>(h) / 48});
  return example;
}

struct Extent {
  double x1 = 1e9, y1 = 1e9, x2 = -1, y2 = -1;
};

/// Where a picture is red, in pixels.
Extent redExtent(const Image& image) {
  Extent extent;
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      const std::uint8_t* pixel = image.rgb.data() + (y * image.width + x) * 3;
      if (pixel[0] < pixel[1] + 70) continue;
      extent.x1 = std::min(extent.x1, static_cast<double>(x));
      extent.y1 = std::min(extent.y1, static_cast<double>(y));
      extent.x2 = std::max(extent.x2, static_cast<double>(x + 1));
      extent.y2 = std::max(extent.y2, static_cast<double>(y + 1));
    }
  }
  return extent;
}

TEST(Augment, BoxesGoWhereTheirPixelsGo) {
  const Augmentation options{true, true, 0.3, 0.1, 0.1, 0, 114};
  int kept = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Draw draw(seed + 1000);
    const Example varied = augment(redExample(seed), options, draw);
    ASSERT_EQ(varied.image.size(), (ImageSize{64, 48}));
    if (varied.boxes.empty()) continue;
    ++kept;
    const BoxTarget& box = varied.boxes[0];
    EXPECT_EQ(box.label, 3);
    const Extent extent = redExtent(varied.image);
    EXPECT_NEAR((box.cx - box.w / 2) * 64, extent.x1, 1.6);
    EXPECT_NEAR((box.cx + box.w / 2) * 64, extent.x2, 1.6);
    EXPECT_NEAR((box.cy - box.h / 2) * 48, extent.y1, 1.6);
    EXPECT_NEAR((box.cy + box.h / 2) * 48, extent.y2, 1.6);
  }
  EXPECT_GT(kept, 80);
}

TEST(Augment, HalfOfThePicturesAreUpsideDown) {
  Augmentation options;
  options.flip_vertical = true;
  const Example example = redExample(5);
  Image turned = makeImage(example.image.size());
  const auto row = static_cast<std::size_t>(example.image.width * 3);
  for (std::size_t y = 0; y < static_cast<std::size_t>(turned.height); ++y) {
    const std::size_t other = static_cast<std::size_t>(turned.height) - 1 - y;
    std::copy_n(example.image.rgb.begin() + static_cast<std::ptrdiff_t>(other * row), row,
                turned.rgb.begin() + static_cast<std::ptrdiff_t>(y * row));
  }
  Draw draw(11);
  int upside_down = 0;
  for (int i = 0; i < 100; ++i) {
    const Example varied = augment(example, options, draw);
    const bool is = varied.image == turned;
    EXPECT_TRUE(is || varied.image == example.image);
    upside_down += is ? 1 : 0;
    EXPECT_DOUBLE_EQ(varied.boxes[0].cy, is ? 1 - example.boxes[0].cy : example.boxes[0].cy);
  }
  EXPECT_NEAR(upside_down, 50, 15);
}

TEST(Augment, NothingAskedForIsNothingDone) {
  const Example example = redExample(5);
  Draw draw(1);
  EXPECT_EQ(augment(example, {}, draw).image, example.image);
}

TEST(Augment, AMosaicHoldsTheBoxesThatItShows) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Example red = redExample(seed);
    Example grey;
    grey.image = makeImage({64, 48}, 60, 60, 60);
    Draw draw(seed);
    const std::array<const Example*, 4> four = {&grey, &red, &grey, &grey};
    const Example mosaic = makeMosaic(four, 114, draw);
    const Extent extent = redExtent(mosaic.image);
    if (mosaic.boxes.empty()) continue;
    EXPECT_NEAR((mosaic.boxes[0].cx - mosaic.boxes[0].w / 2) * 64, extent.x1, 1.6);
    EXPECT_NEAR((mosaic.boxes[0].cy + mosaic.boxes[0].h / 2) * 48, extent.y2, 1.6);
  }
}

TEST(Schedule, WarmsUpAndFallsToItsShare) {
  const LearningRate rate{2.0, 0.1, 0.1};
  EXPECT_LT(rate.at(0, 1000), 0.1);
  EXPECT_NEAR(rate.at(100, 1000), 2.0, 1e-9);
  EXPECT_NEAR(rate.at(550, 1000), 0.2 + 0.9, 1e-9);
  EXPECT_NEAR(rate.at(1000, 1000), 0.2, 1e-9);
  for (int step = 1; step < 100; ++step) EXPECT_GT(rate.at(step, 1000), rate.at(step - 1, 1000));
  for (const GrowthKind kind : {GrowthKind::power, GrowthKind::exponential}) {
    const Growth growth{kind, 3, 2};
    EXPECT_EQ(growth.at(0, 50), 0);
    EXPECT_NEAR(growth.at(50, 50), 3, 1e-12);
    EXPECT_LT(growth.at(20, 50), growth.at(21, 50));
  }
}

/// A small detection set of drawn scenes, and a network for it.
struct Scenes {
  TemporaryDirectory folder;
  DataSet data;
  ModelDescription description;
  Graph graph;
};

Result<Scenes> makeScenes(std::size_t count) {
  NARROWS_TRY(folder, TemporaryDirectory::create("train"));
  SceneOptions options;
  options.count = count;
  options.size = {96, 64};
  NARROWS_CHECK(writeScenes(folder.path() / "set", options));
  NARROWS_TRY(data, openDataSet(folder.path() / "set"));
  NARROWS_TRY(zoo, buildZooModel("zoo:mini-yolo@64,classes=8,width=0.25", 1));
  ModelDescription description;
  description.name = "scenes";
  description.preprocessing.width = description.preprocessing.height = 64;
  description.head.kind = HeadKind::yolov3;
  description.head.classes = 8;
  for (const auto& list : zoo.anchors) {
    auto& anchors = description.head.anchors.emplace_back();
    for (const ZooAnchor& anchor : list) anchors.push_back({anchor.width, anchor.height});
  }
  return Scenes{std::move(folder), std::move(data), std::move(description), std::move(zoo.graph)};
}

TEST(Anchors, AreTheClustersOfTheData) {
  DataSet data;
  Draw draw(3);
  for (int i = 0; i < 60; ++i) {
    const float w = i % 3 == 0 ? 0.1F : i % 3 == 1 ? 0.3F : 0.8F;
    const auto wobble = static_cast<float>(draw.between(-0.005, 0.005));
    DataItem item;
    item.boxes.push_back({0, {0.1F, 0.1F, 0.1F + w + wobble, 0.1F + w / 2}});
    data.items.push_back(std::move(item));
  }
  Preprocessing preprocessing;
  preprocessing.width = 200;
  preprocessing.height = 100;
  auto anchors = clusterAnchors(data, preprocessing, 3, 1);
  ASSERT_TRUE(anchors.ok()) << anchors.error().message;
  const double expected[] = {0.1, 0.3, 0.8};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR((*anchors)[i].width, expected[i] * 200, 1.0);
    EXPECT_NEAR((*anchors)[i].height, expected[i] / 2 * 100, 0.1);
  }
  EXPECT_EQ(*anchors, *clusterAnchors(data, preprocessing, 3, 1));
  EXPECT_FALSE(clusterAnchors(data, preprocessing, 61, 1).ok());
  Head head;
  head.kind = HeadKind::yolov3;
  head.anchors = {{{100, 100}}, {{10, 10}, {20, 20}}};
  auto fitted = withAnchors(head, data, preprocessing, 4, 2, 1);
  ASSERT_TRUE(fitted.ok());
  EXPECT_NEAR(fitted->anchors[0][0].width, 160, 1);
  EXPECT_NEAR(fitted->anchors[1][0].width, 20, 1);
}

TEST(BatchSource, BatchesDependOnSeedEpochAndNumberAlone) {
  auto scenes = makeScenes(9);
  ASSERT_TRUE(scenes.ok()) << scenes.error().message;
  BatchOptions options;
  options.batch = 4;
  options.augmentation = {true, true, 0.2, 0.1, 0.3, 0.5, 114};
  auto one = BatchSource::create(scenes->data, scenes->description, options);
  options.threads = 3;
  auto three = BatchSource::create(scenes->data, scenes->description, options);
  ASSERT_TRUE(one.ok() && three.ok());
  EXPECT_EQ(one->batchesPerEpoch(), 2u);
  auto early = one->batch(0, 0);
  auto a = one->batch(1, 1);
  auto b = three->batch(1, 1);
  ASSERT_TRUE(early.ok() && a.ok() && b.ok());
  const auto same = [](const TrainBatch& x, const TrainBatch& y) {
    const auto p = x.pictures.as<float>();
    const auto q = y.pictures.as<float>();
    return std::equal(p.begin(), p.end(), q.begin());
  };
  EXPECT_TRUE(same(*a, *b));
  EXPECT_FALSE(same(*a, *early));
  std::size_t boxes = 0;
  for (const auto& list : a->boxes) boxes += list.size();
  EXPECT_GT(boxes, 0u);
}

TEST(Checkpoint, ReadsBackAndRefusesDamage) {
  auto folder = TemporaryDirectory::create("checkpoint");
  ASSERT_TRUE(folder.ok());
  const fs::path path = folder->path() / "a.state";
  Checkpoint checkpoint;
  checkpoint.text = "somewhere";
  checkpoint.tensors.push_back({"w", Tensor::from<float>(Shape{2, 2}, {1, 2, 3, 4})});
  checkpoint.tensors.push_back({"n", Tensor::scalar<std::int64_t>(7)});
  ASSERT_TRUE(writeCheckpoint(checkpoint, path).ok());
  auto back = readCheckpoint(path);
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(back->text, "somewhere");
  ASSERT_EQ(back->tensors.size(), 2u);
  EXPECT_EQ(back->tensors[0].name, "w");
  EXPECT_EQ(back->tensors[0].tensor.as<float>()[3], 4.0F);
  EXPECT_EQ(back->tensors[1].tensor.as<std::int64_t>()[0], 7);
  auto bytes = readFile(path);
  ASSERT_TRUE(bytes.ok());
  for (std::size_t length = 0; length < bytes->size(); ++length) {
    ASSERT_TRUE(writeFileAtomically(path, ByteSpan(*bytes).first(length)).ok());
    EXPECT_FALSE(readCheckpoint(path).ok()) << length;
  }
  for (std::size_t at = 0; at < bytes->size(); ++at) {
    ByteVector damaged = *bytes;
    damaged[at] ^= std::byte{0x10};
    ASSERT_TRUE(writeFileAtomically(path, damaged).ok());
    EXPECT_FALSE(readCheckpoint(path).ok()) << at;
  }
}

Result<std::vector<NamedTensor>> train(const Scenes& scenes, const FitOptions& options,
                                       double* best = nullptr) {
  DetectionTask task;
  task.head = scenes.description.head;
  task.width = task.height = 64;
  TrainerOptions trainer_options;
  trainer_options.task = task;
  trainer_options.average_decay = 0.9;
  NARROWS_TRY(trainer, Trainer::create(scenes.graph, trainer_options));
  BatchOptions batch_options;
  batch_options.batch = 4;
  batch_options.augmentation.flip = true;
  NARROWS_TRY(batches, BatchSource::create(scenes.data, scenes.description, batch_options));
  NARROWS_TRY(validator, Validator::create(defaultEngineName(), scenes.data, scenes.description,
                                           scenes.graph, 1));
  FitHooks hooks;
  hooks.validate = [&](const Trainer& now) -> Result<Validation> {
    NARROWS_TRY(graph, now.graph(true));
    NARROWS_TRY(accuracy, validator.score(graph));
    return Validation{accuracy.primary, 0};
  };
  NARROWS_TRY(outcome, fit(trainer, batches, options, hooks));
  if (best != nullptr) *best = outcome.best;
  return trainer.state();
}

TEST(Fit, AKilledAndResumedRunEndsLikeAnUnbrokenOne) {
  auto scenes = makeScenes(12);
  ASSERT_TRUE(scenes.ok()) << scenes.error().message;
  FitOptions options;
  options.epochs = 5;
  options.folder = scenes->folder.path() / "whole";
  fs::create_directory(options.folder);
  double best_whole = 0;
  auto whole = train(*scenes, options, &best_whole);
  ASSERT_TRUE(whole.ok()) << whole.error().message;

  options.folder = scenes->folder.path() / "broken";
  fs::create_directory(options.folder);
  options.resume = true;
  options.stop_after = 2;
  ASSERT_TRUE(train(*scenes, options).ok());
  // As if killed while it logged the next epoch.
  std::ofstream(options.folder / "train.jsonl", std::ios::app) << "{\"epoch\": 3";
  options.stop_after = 0;
  double best_broken = 0;
  auto broken = train(*scenes, options, &best_broken);
  ASSERT_TRUE(broken.ok()) << broken.error().message;

  EXPECT_EQ(best_whole, best_broken);
  ASSERT_EQ(whole->size(), broken->size());
  for (std::size_t i = 0; i < whole->size(); ++i) {
    const ByteSpan a = (*whole)[i].tensor.view().bytes();
    const ByteSpan b = (*broken)[i].tensor.view().bytes();
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << (*whole)[i].name;
  }
  auto log_whole = readTextFile(scenes->folder.path() / "whole" / "train.jsonl");
  auto log_broken = readTextFile(options.folder / "train.jsonl");
  ASSERT_TRUE(log_whole.ok() && log_broken.ok());
  EXPECT_EQ(*log_whole, *log_broken);
  options.fingerprint = "another";
  EXPECT_FALSE(train(*scenes, options).ok());
}

}  // namespace
}  // namespace narrows::test
