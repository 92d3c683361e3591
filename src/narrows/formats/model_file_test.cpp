#include "narrows/formats/model_file.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstring>

#include "narrows/base/file.h"
#include "narrows/engine/reference/reference_engine.h"
#include "narrows/formats/onnx_writer.h"
#include "tests/support/shared_data.h"

namespace narrows {
namespace {

/// A model of the shared data with its interface and the vector that checks it.
struct ModelCase {
  const char* file;
  Shape input_shape;
  const char* input;
  std::vector<std::pair<const char*, Shape>> outputs;
  const char* input_vector;
  std::vector<const char*> output_vectors;
  /// Largest absolute difference (models/testvec/README.md).
  double tolerance;
};

const std::vector<ModelCase>& modelCases() {
  static const std::vector<ModelCase> kCases = {
      {"fastestdet.onnx",
       {1, 3, 352, 352},
       "input.1",
       {{"758", {1, 85, 22, 22}}},
       "fastestdet_dog_input_1x3x352x352.f32",
       {"fastestdet_dog_output_1x85x22x22.f32"},
       1e-3},
      {"mobilenetv2-imagenet.onnx",
       {1, 3, 224, 224},
       "input",
       {{"logits", {1, 1001}}},
       "mobilenetv2-imagenet_input_2x3x224x224.f32",
       {"mobilenetv2-imagenet_logits_2x1001.f32"},
       1e-4},
      {"resnet20-cifar10.onnx",
       {1, 3, 32, 32},
       "input",
       {{"logits", {1, 10}}},
       "resnet-cifar10_input_10x3x32x32.f32",
       {"resnet20-cifar10_logits_10x10.f32"},
       1e-4},
      {"resnet56-cifar10.onnx",
       {1, 3, 32, 32},
       "input",
       {{"logits", {1, 10}}},
       "resnet-cifar10_input_10x3x32x32.f32",
       {"resnet56-cifar10_logits_10x10.f32"},
       1e-4},
      {"squeezenet1_0-imagenet.onnx",
       {1, 3, 227, 227},
       "input",
       {{"logits", {1, 1000}}},
       "squeezenet1_0-imagenet_input_2x3x227x227.f32",
       {"squeezenet1_0-imagenet_logits_2x1000.f32"},
       1e-4},
      {"ultraface-rfb-320-simplified.onnx",
       {1, 3, 240, 320},
       "input",
       {{"scores", {1, 4420, 2}}, {"boxes", {1, 4420, 4}}},
       "ultraface-rfb-320_faces_input_1x3x240x320.f32",
       {"ultraface-rfb-320-simplified_faces_scores_1x4420x2.f32",
        "ultraface-rfb-320-simplified_faces_boxes_1x4420x4.f32"},
       1e-4},
      {"ultraface-rfb-320.onnx",
       {1, 3, 240, 320},
       "input",
       {{"scores", {1, 4420, 2}}, {"boxes", {1, 4420, 4}}},
       "ultraface-rfb-320_faces_input_1x3x240x320.f32",
       {"ultraface-rfb-320_faces_scores_1x4420x2.f32",
        "ultraface-rfb-320_faces_boxes_1x4420x4.f32"},
       1e-4},
      {"yolox_nano.onnx",
       {1, 3, 416, 416},
       "images",
       {{"output", {1, 3549, 85}}},
       "yolox_nano_dog_input_1x3x416x416.f32",
       {"yolox_nano_dog_output_1x3549x85.f32"},
       1e-3},
      {"yolo-fastest-1.1-coco.cfg",
       {1, 3, 320, 320},
       "input",
       {{"head0", {1, 255, 10, 10}}, {"head1", {1, 255, 20, 20}}},
       "yolo_dog_input_1x3x320x320.f32",
       {"yolo-fastest-1.1-coco_dog_head0_1x255x10x10.f32",
        "yolo-fastest-1.1-coco_dog_head1_1x255x20x20.f32"},
       1e-3},
      {"mobilenetv2-yolov3-nano-coco.cfg",
       {1, 3, 320, 320},
       "input",
       {{"head0", {1, 255, 10, 10}}, {"head1", {1, 255, 20, 20}}},
       "yolo_dog_input_1x3x320x320.f32",
       {"mobilenetv2-yolov3-nano-coco_dog_head0_1x255x10x10.f32",
        "mobilenetv2-yolov3-nano-coco_dog_head1_1x255x20x20.f32"},
       1e-3},
      {"mobilenetv2-yolov3-nano-voc.cfg",
       {1, 3, 320, 320},
       "input",
       {{"head0", {1, 75, 10, 10}}, {"head1", {1, 75, 20, 20}}},
       "yolo_dog_input_1x3x320x320.f32",
       {"mobilenetv2-yolov3-nano-voc_dog_head0_1x75x10x10.f32",
        "mobilenetv2-yolov3-nano-voc_dog_head1_1x75x20x20.f32"},
       1e-3},
  };
  return kCases;
}

Result<Tensor> firstSample(const char* name, const TensorType& type) {
  NARROWS_TRY(bytes, readFile(*test::sharedData() / "models" / "testvec" / name));
  if (bytes.size() % type.bytes() != 0) return makeError("{}: {} bytes", name, bytes.size());
  Tensor tensor(type);
  std::memcpy(tensor.mutableView().bytes().data(), bytes.data(), type.bytes());
  return tensor;
}

class ModelFileTest : public testing::TestWithParam<std::size_t> {
 protected:
  void SetUp() override { NARROWS_REQUIRE_SHARED(); }
  const ModelCase& model() const { return modelCases()[GetParam()]; }
  std::filesystem::path path() const { return *test::sharedData() / "models" / model().file; }

  void expectInterface(const Graph& graph) const {
    EXPECT_TRUE(verify(graph).ok());
    ASSERT_EQ(graph.inputs().size(), 1u);
    EXPECT_EQ(graph.value(graph.inputs()[0]).name, model().input);
    EXPECT_EQ(graph.shape(graph.inputs()[0]), model().input_shape);
    ASSERT_EQ(graph.outputs().size(), model().outputs.size());
    for (std::size_t i = 0; i < model().outputs.size(); ++i) {
      EXPECT_EQ(graph.value(graph.outputs()[i]).name, model().outputs[i].first);
      EXPECT_EQ(graph.shape(graph.outputs()[i]), model().outputs[i].second);
    }
  }

  void expectVectors(const Graph& graph) const {
    auto input = firstSample(model().input_vector, graph.type(graph.inputs()[0]));
    ASSERT_TRUE(input.ok()) << input.error().message;
    auto program = makeReferenceEngine()->compile(graph, {});
    ASSERT_TRUE(program.ok()) << program.error().message;
    const TensorView views[] = {*input};
    auto outputs = runProgram(**program, views);
    ASSERT_TRUE(outputs.ok()) << outputs.error().message;
    for (std::size_t i = 0; i < outputs->size(); ++i) {
      auto wanted = firstSample(model().output_vectors[i], (*outputs)[i].type());
      ASSERT_TRUE(wanted.ok()) << wanted.error().message;
      double worst = 0;
      for (std::size_t k = 0; k < wanted->as<float>().size(); ++k) {
        const double d = static_cast<double>((*outputs)[i].as<float>()[k]) -
                         static_cast<double>(wanted->as<float>()[k]);
        worst = std::max(worst, std::fabs(d));
      }
      EXPECT_LE(worst, model().tolerance) << model().output_vectors[i];
    }
  }
};

TEST_P(ModelFileTest, ReadsAndMatchesItsVector) {
  auto graph = readModel(path());
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  expectInterface(*graph);
  expectVectors(*graph);
}

TEST_P(ModelFileTest, ComesBackFromTheWriter) {
  auto graph = readModel(path());
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  auto directory = TemporaryDirectory::create("narrows-model");
  ASSERT_TRUE(directory.ok());
  const auto written = directory->path() / "model.onnx";
  const auto status = writeOnnx(*graph, written, directory->path() / "model.weights");
  ASSERT_TRUE(status.ok()) << status.error().message;
  auto again = readOnnx(written);
  ASSERT_TRUE(again.ok()) << again.error().message;
  expectInterface(*again);
  ASSERT_EQ(again->nodeCount(), graph->nodeCount());
  for (NodeId id : nodeIds(*graph)) {
    EXPECT_EQ(again->node(id).op, graph->node(id).op) << graph->node(id).name;
    EXPECT_EQ(again->node(id).name, graph->node(id).name);
  }
  // The second file is the first one: nothing is lost on the way.
  EXPECT_EQ(asText(*serializeOnnx(*again)),
            asText(*serializeOnnx(*readOnnx(*serializeOnnx(*again)))));
}

INSTANTIATE_TEST_SUITE_P(Models, ModelFileTest, testing::Range(std::size_t{0}, modelCases().size()),
                         [](const auto& index) {
                           std::string name = modelCases()[index.param].file;
                           std::replace_if(
                               name.begin(), name.end(),
                               [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

TEST(ModelFile, TellsWhichFileItCannotRead) {
  auto directory = TemporaryDirectory::create("narrows-model");
  ASSERT_TRUE(directory.ok());
  const auto errorOf = [&](const char* name, const ModelReadOptions& options = {}) {
    auto graph = readModel(directory->path() / name, options);
    return graph.ok() ? "read without an error" : graph.error().message;
  };
  const std::string place = directory->path().string() + "/";
  EXPECT_EQ(errorOf("net.tflite"),
            place + "net.tflite: unknown kind of model, expected .onnx or .cfg");
  EXPECT_EQ(errorOf("net.onnx"), place + "net.onnx: cannot open: No such file or directory");
  const std::string_view cfg =
      "[net]\nwidth=4\nheight=4\nchannels=1\n[convolutional]\nfilters=2\nactivation=mish\n";
  ASSERT_TRUE(writeFileAtomically(directory->path() / "net.cfg", asBytes(cfg)).ok());
  EXPECT_EQ(errorOf("net.cfg"), place + "net.weights: cannot open: No such file or directory");
  ModelReadOptions random;
  random.random_weights_seed = 3;
  EXPECT_EQ(errorOf("net.cfg", random), "read without an error");
  ASSERT_TRUE(writeFileAtomically(directory->path() / "net.weights", asBytes("short")).ok());
  EXPECT_EQ(errorOf("net.cfg", random),
            place + "net.weights: offset 4: the minor version needs 4 bytes, 1 are left");
}

}  // namespace
}  // namespace narrows
