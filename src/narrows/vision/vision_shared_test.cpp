// Against the stored tensors, heads and boxes of real models.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "narrows/base/file.h"
#include "narrows/vision/head.h"
#include "narrows/vision/preprocess.h"
#include "tests/support/shared_data.h"

namespace narrows {
namespace {

std::filesystem::path vectors() {
  return *test::sharedData() / "models" / "testvec";
}

ModelDescription describe(const std::string& model) {
  const auto path =
      std::filesystem::path(NARROWS_SOURCE_DIR) / "examples" / "models" / (model + ".toml");
  auto text = readTextFile(path);
  EXPECT_TRUE(text.ok()) << path;
  auto description = parseDescription(*text, path.string());
  EXPECT_TRUE(description.ok()) << description.error().message;
  return std::move(*description);
}

Tensor readVector(const std::string& file, Shape shape) {
  auto bytes = readFile(vectors() / file);
  EXPECT_TRUE(bytes.ok()) << file;
  Tensor tensor(DType::f32, shape);
  EXPECT_EQ(bytes->size(), tensor.type().bytes()) << file;
  std::copy(bytes->begin(), bytes->end(), tensor.mutableView().bytes().begin());
  return tensor;
}

Image readPicture(const std::string& file) {
  auto bytes = readFile(vectors() / file);
  EXPECT_TRUE(bytes.ok());
  auto image = decodeImage(*bytes);
  EXPECT_TRUE(image.ok()) << image.error().message;
  return std::move(*image);
}

double largestDifference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest = std::max(largest, static_cast<double>(std::abs(a[i] - b[i])));
  }
  return largest;
}

void expectInput(const std::string& model, const std::string& picture, const std::string& file,
                 double tolerance) {
  const ModelDescription description = describe(model);
  auto input = preprocess(readPicture(picture), description.preprocessing);
  ASSERT_TRUE(input.ok()) << input.error().message;
  const Tensor stored = readVector(file, input->shape());
  EXPECT_LE(largestDifference(input->as<float>(), stored.as<float>()), tolerance) << model;
}

TEST(StoredInputs, DarknetStretchIsPillowsBitForBit) {
  NARROWS_REQUIRE_SHARED();
  expectInput("yolo-fastest-1.1-coco", "dog.jpg", "yolo_dog_input_1x3x320x320.f32", 0);
}

TEST(StoredInputs, OtherModels) {
  NARROWS_REQUIRE_SHARED();
  expectInput("yolox_nano", "dog.jpg", "yolox_nano_dog_input_1x3x416x416.f32", 0);
  expectInput("fastestdet", "dog.jpg", "fastestdet_dog_input_1x3x352x352.f32", 0);
}

TEST(StoredInputs, CifarPictures) {
  NARROWS_REQUIRE_SHARED();
  auto set = test::unpackedDataset("cifar10-test-jpg");
  ASSERT_TRUE(set.ok()) << set.error().message;
  const ModelDescription description = describe("resnet20-cifar10");
  const Tensor stored = readVector("resnet-cifar10_input_10x3x32x32.f32", Shape{10, 3, 32, 32});
  for (std::size_t i = 0; i < description.labels.size(); ++i) {
    auto file = readFile(*set / description.labels[i] / "0003.jpg");
    ASSERT_TRUE(file.ok());
    auto image = decodeImage(*file);
    ASSERT_TRUE(image.ok()) << image.error().message;
    auto input = preprocess(*image, description.preprocessing);
    ASSERT_TRUE(input.ok()) << input.error().message;
    EXPECT_LE(largestDifference(input->as<float>(), stored.as<float>().subspan(i * 3072, 3072)),
              2e-6);
  }
}

struct ExpectedBox {
  std::string label;
  float score;
  Box box;
};

std::vector<ExpectedBox> expectedBoxes(const std::string& model, const std::string& picture) {
  std::ifstream file(vectors() / (model + "_boxes.txt"));
  std::vector<ExpectedBox> boxes;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string of;
    ExpectedBox box;
    fields >> of >> box.label >> box.score >> box.box.x1 >> box.box.y1 >> box.box.x2 >> box.box.y2;
    EXPECT_FALSE(fields.fail()) << line;
    if (of == picture) boxes.push_back(box);
  }
  EXPECT_FALSE(boxes.empty()) << model;
  return boxes;
}

void expectDetections(const std::string& model, const std::string& picture, ImageSize size,
                      const std::vector<std::pair<std::string, Shape>>& files,
                      const std::string& boxes_of = {}) {
  const ModelDescription description = describe(model);
  std::vector<Tensor> outputs;
  for (const auto& [file, shape] : files) outputs.push_back(readVector(file, shape));
  std::vector<TensorView> views(outputs.begin(), outputs.end());
  auto prediction = decodeHead(description, views, size);
  ASSERT_TRUE(prediction.ok()) << model << ": " << prediction.error().message;
  const auto expected = expectedBoxes(boxes_of.empty() ? model : boxes_of, picture);
  ASSERT_EQ(prediction->detections.size(), expected.size()) << model;
  // One to one: each expected box is found by a detection of its own.
  std::set<std::size_t> used;
  for (const ExpectedBox& want : expected) {
    bool found = false;
    for (std::size_t i = 0; i < prediction->detections.size() && !found; ++i) {
      const Detection& got = prediction->detections[i];
      found = used.count(i) == 0 &&
              description.labels[static_cast<std::size_t>(got.label)] == want.label &&
              intersectionOverUnion(got.box, want.box) > 0.9F &&
              std::abs(got.score - want.score) < 0.002F;
      if (found) used.insert(i);
    }
    EXPECT_TRUE(found) << model << ": " << want.label << " " << want.score;
  }
}

const ImageSize kDog{768, 576};

TEST(StoredHeads, Yolov3) {
  NARROWS_REQUIRE_SHARED();
  for (const std::string model : {"yolo-fastest-1.1-coco", "mobilenetv2-yolov3-nano-coco"}) {
    expectDetections(model, "dog", kDog,
                     {{model + "_dog_head0_1x255x10x10.f32", Shape{1, 255, 10, 10}},
                      {model + "_dog_head1_1x255x20x20.f32", Shape{1, 255, 20, 20}}});
  }
  const std::string voc = "mobilenetv2-yolov3-nano-voc";
  expectDetections(voc, "dog", kDog,
                   {{voc + "_dog_head0_1x75x10x10.f32", Shape{1, 75, 10, 10}},
                    {voc + "_dog_head1_1x75x20x20.f32", Shape{1, 75, 20, 20}}});
}

TEST(StoredHeads, Yolox) {
  NARROWS_REQUIRE_SHARED();
  expectDetections("yolox_nano", "dog", kDog,
                   {{"yolox_nano_dog_output_1x3549x85.f32", Shape{1, 3549, 85}}});
}

TEST(StoredHeads, FastestDet) {
  NARROWS_REQUIRE_SHARED();
  expectDetections("fastestdet", "dog", kDog,
                   {{"fastestdet_dog_output_1x85x22x22.f32", Shape{1, 85, 22, 22}}});
}

TEST(StoredHeads, UltraFaceBothForms) {
  NARROWS_REQUIRE_SHARED();
  for (const std::string model : {"ultraface-rfb-320", "ultraface-rfb-320-simplified"}) {
    // Stretched, so the picture's size does not matter to relative boxes.
    expectDetections(model, "faces", {640, 480},
                     {{model + "_faces_scores_1x4420x2.f32", Shape{1, 4420, 2}},
                      {model + "_faces_boxes_1x4420x4.f32", Shape{1, 4420, 4}}},
                     "ultraface-rfb-320");
  }
}

TEST(StoredHeads, Classification) {
  NARROWS_REQUIRE_SHARED();
  const struct {
    std::string model, file;
    std::int64_t width;
    std::vector<int> best;
  } cases[] = {
      {"squeezenet1_0-imagenet", "squeezenet1_0-imagenet_logits_2x1000.f32", 1000, {207, 954}},
      {"mobilenetv2-imagenet", "mobilenetv2-imagenet_logits_2x1001.f32", 1001, {207, 954}},
      {"resnet20-cifar10", "resnet20-cifar10_logits_10x10.f32", 10, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
      {"resnet56-cifar10", "resnet56-cifar10_logits_10x10.f32", 10, {0, 1, 2, 4, 4, 5, 6, 7, 8, 9}},
  };
  for (const auto& expected : cases) {
    const ModelDescription description = describe(expected.model);
    const auto samples = static_cast<std::int64_t>(expected.best.size());
    const Tensor all = readVector(expected.file, Shape{samples, expected.width});
    for (std::size_t i = 0; i < expected.best.size(); ++i) {
      const auto width = static_cast<std::size_t>(expected.width);
      const TensorView row(TensorType{DType::f32, Shape{1, expected.width}},
                           all.view().bytes().subspan(i * width * 4).data());
      auto prediction = decodeHead(description, {&row, 1}, {224, 224});
      ASSERT_TRUE(prediction.ok()) << prediction.error().message;
      ASSERT_EQ(prediction->classes.size(), 5U);
      EXPECT_EQ(prediction->classes[0].label, expected.best[i]) << expected.model;
      float sum = 0;
      for (const ClassScore& entry : prediction->classes) sum += entry.score;
      EXPECT_LE(sum, 1.0001F);
      EXPECT_GT(prediction->classes[0].score, prediction->classes[1].score);
    }
  }
}

// Every shipped description belongs to a model of the shared data, and every model has one.
TEST(ShippedDescriptions, CoverEveryModelAndSurviveATextRoundTrip) {
  const auto folder = std::filesystem::path(NARROWS_SOURCE_DIR) / "examples" / "models";
  std::set<std::string> described;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".toml") continue;
    const std::string name = entry.path().stem().string();
    described.insert(name);
    const ModelDescription description = describe(name);
    EXPECT_EQ(description.name, name);
    auto again = parseDescription(formatDescription(description), "again");
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(*again, description) << name;
  }
  NARROWS_REQUIRE_SHARED();
  std::set<std::string> models;
  for (const auto& entry : std::filesystem::directory_iterator(*test::sharedData() / "models")) {
    const auto extension = entry.path().extension();
    if (extension == ".onnx" || extension == ".cfg") models.insert(entry.path().stem().string());
  }
  EXPECT_EQ(described, models);
}

}  // namespace
}  // namespace narrows
