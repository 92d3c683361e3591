// Shipped descriptions, picture to answer: every detector finds the expected boxes, every
// classifier reaches its reference accuracy.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "narrows/base/file.h"
#include "narrows/base/thread_pool.h"
#include "narrows/data/dataset.h"
#include "narrows/data/metrics.h"
#include "narrows/engine/engine.h"
#include "narrows/formats/model_file.h"
#include "narrows/vision/head.h"
#include "narrows/vision/preprocess.h"
#include "tests/support/shared_data.h"

namespace narrows::test {
namespace {

namespace fs = std::filesystem;

/// A model of the shared data with its shipped description, compiled once for each worker.
struct Task {
  ModelDescription description;
  std::vector<std::unique_ptr<Program>> programs;
};

Result<Task> makeTask(const std::string& name, std::string_view engine_name, std::size_t workers) {
  const fs::path toml = fs::path(NARROWS_SOURCE_DIR) / "examples" / "models" / (name + ".toml");
  NARROWS_TRY(text, readTextFile(toml));
  Task task;
  NARROWS_TRY(description, parseDescription(text, toml.string()));
  task.description = std::move(description);
  fs::path model = *sharedData() / "models" / (name + ".onnx");
  if (!fs::exists(model)) model.replace_extension(".cfg");
  NARROWS_TRY(graph, readModel(model));
  NARROWS_TRY(engine, makeEngine(engine_name));
  for (std::size_t i = 0; i < workers; ++i) {
    NARROWS_TRY(program, engine->compile(graph, EngineOptions()));
    task.programs.push_back(std::move(program));
  }
  return task;
}

Result<Prediction> predict(Task& task, std::size_t worker, const fs::path& picture) {
  NARROWS_TRY(image, readImage(picture));
  NARROWS_TRY(input, preprocess(image, task.description.preprocessing));
  NARROWS_TRY(outputs, runProgram(*task.programs[worker], std::vector<TensorView>{input}));
  const std::vector<TensorView> views(outputs.begin(), outputs.end());
  return decodeHead(task.description, views, image.size());
}

struct ExpectedBox {
  std::string line;
  std::string label;
  float score = 0;
  Box box;
};

/// Lines "picture label score x1 y1 x2 y2", by picture.
std::map<std::string, std::vector<ExpectedBox>> readExpected(const fs::path& path) {
  std::map<std::string, std::vector<ExpectedBox>> expected;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string picture;
    ExpectedBox box;
    box.line = line;
    fields >> picture >> box.label >> box.score >> box.box.x1 >> box.box.y1 >> box.box.x2 >>
        box.box.y2;
    EXPECT_FALSE(fields.fail()) << path << ": " << line;
    expected[picture].push_back(box);
  }
  EXPECT_FALSE(expected.empty()) << path;
  return expected;
}

bool isFound(const ExpectedBox& expected, const ModelDescription& description,
             const std::vector<Detection>& detections) {
  for (const Detection& detection : detections) {
    const auto label = static_cast<std::size_t>(detection.label);
    if (description.labels.at(label) == expected.label &&
        std::abs(detection.score - expected.score) < 0.005F &&
        intersectionOverUnion(detection.box, expected.box) > 0.9F) {
      return true;
    }
  }
  return false;
}

TEST(TaskAccuracy, DetectorsFindTheExpectedBoxes) {
  NARROWS_REQUIRE_SHARED();
  const fs::path vectors = *sharedData() / "models" / "testvec";
  for (std::string_view engine_name : engineNames()) {
    for (const std::string name : {"yolo-fastest-1.1-coco", "mobilenetv2-yolov3-nano-coco",
                                   "mobilenetv2-yolov3-nano-voc", "yolox_nano", "fastestdet"}) {
      SCOPED_TRACE(fmt::format("{} on {}", name, engine_name));
      auto task = makeTask(name, engine_name, 1);
      ASSERT_TRUE(task.ok()) << task.error().message;
      for (const auto& [picture, boxes] : readExpected(vectors / (name + "_boxes.txt"))) {
        auto prediction = predict(*task, 0, vectors / (picture + ".jpg"));
        ASSERT_TRUE(prediction.ok()) << prediction.error().message;
        for (const ExpectedBox& box : boxes) {
          EXPECT_TRUE(isFound(box, task->description, prediction->detections)) << box.line;
        }
        // The stored lists give each box its best class only; ours all above the threshold.
        EXPECT_LE(prediction->detections.size(), boxes.size() + 1) << picture;
      }
    }
  }
}

/// Top-1 in percent of a whole data set, on every core.
Result<double> measureTop1(const std::string& model, const std::string& set) {
  NARROWS_TRY(folder, unpackedDataset(set));
  NARROWS_TRY(data, openDataSet(folder));
  ThreadPool pool(0);
  NARROWS_TRY(task, makeTask(model, defaultEngineName(), pool.size()));
  std::vector<Prediction> predictions(data.items.size());
  std::vector<Status> failures(pool.size());
  pool.forEach(data.items.size(), [&](std::size_t index, std::size_t worker) {
    auto prediction = predict(task, worker, data.items[index].image);
    if (prediction.ok()) {
      predictions[index] = std::move(*prediction);
    } else {
      failures[worker] = prediction.takeError();
    }
  });
  TopKAccuracy accuracy;
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    accuracy.add(predictions[i], data.items[i].label);
  }
  for (Status& failure : failures) NARROWS_CHECK(std::move(failure));
  return 100 * accuracy.top1();
}

// Reference accuracies as the data's README states them, by ONNX Runtime.
TEST(TaskAccuracy, ClassifiersReachTheirReferenceOnWholeSets) {
  NARROWS_REQUIRE_SHARED();
  if (std::getenv("NARROWS_FULL") == nullptr) GTEST_SKIP() << "whole data sets: set NARROWS_FULL=1";
  const struct {
    std::string model, set;
    double percent;
  } cases[] = {
      {"squeezenet1_0-imagenet", "imagenet-1k-samples-256", 63.8},
      {"mobilenetv2-imagenet", "imagenet-1k-samples-256", 87.4},
      {"resnet20-cifar10", "cifar10-test-jpg", 81.03},
      {"resnet56-cifar10", "cifar10-test-jpg", 83.20},
  };
  for (const auto& expected : cases) {
    auto percent = measureTop1(expected.model, expected.set);
    ASSERT_TRUE(percent.ok()) << percent.error().message;
    fmt::print("{:25} top-1 {:.2f} % on {} (measured, {})\n", expected.model, *percent,
               expected.set, defaultEngineName());
    EXPECT_NEAR(*percent, expected.percent, 0.3) << expected.model;
  }
}

}  // namespace
}  // namespace narrows::test
