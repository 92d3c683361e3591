#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <regex>

#include "narrows/base/file.h"
#include "narrows/engine/engine.h"
#include "narrows/formats/model_file.h"
#include "tests/support/figure.h"
#include "tests/support/shared_data.h"

namespace narrows::test {
namespace {

namespace fs = std::filesystem;

/// A model of the shared data with the stored vectors of its input and outputs. `picks` says
/// whether an output is a row of class scores, whose arg max must be equal.
struct ModelVectors {
  const char* model;
  const char* input;
  std::vector<const char*> outputs;
  bool picks = false;
};

std::vector<ModelVectors> allModels() {
  return {
      {"yolo-fastest-1.1-coco.cfg",
       "yolo_dog_input",
       {"yolo-fastest-1.1-coco_dog_head0", "yolo-fastest-1.1-coco_dog_head1"}},
      {"mobilenetv2-yolov3-nano-coco.cfg",
       "yolo_dog_input",
       {"mobilenetv2-yolov3-nano-coco_dog_head0", "mobilenetv2-yolov3-nano-coco_dog_head1"}},
      {"mobilenetv2-yolov3-nano-voc.cfg",
       "yolo_dog_input",
       {"mobilenetv2-yolov3-nano-voc_dog_head0", "mobilenetv2-yolov3-nano-voc_dog_head1"}},
      {"yolox_nano.onnx", "yolox_nano_dog_input", {"yolox_nano_dog_output"}},
      {"fastestdet.onnx", "fastestdet_dog_input", {"fastestdet_dog_output"}},
      {"ultraface-rfb-320.onnx",
       "ultraface-rfb-320_faces_input",
       {"ultraface-rfb-320_faces_scores", "ultraface-rfb-320_faces_boxes"}},
      {"ultraface-rfb-320-simplified.onnx",
       "ultraface-rfb-320_faces_input",
       {"ultraface-rfb-320-simplified_faces_scores", "ultraface-rfb-320-simplified_faces_boxes"}},
      {"squeezenet1_0-imagenet.onnx",
       "squeezenet1_0-imagenet_input",
       {"squeezenet1_0-imagenet_logits"},
       true},
      {"mobilenetv2-imagenet.onnx",
       "mobilenetv2-imagenet_input",
       {"mobilenetv2-imagenet_logits"},
       true},
      {"resnet20-cifar10.onnx", "resnet-cifar10_input", {"resnet20-cifar10_logits"}, true},
      {"resnet56-cifar10.onnx", "resnet-cifar10_input", {"resnet56-cifar10_logits"}, true},
  };
}

/// Reads NAME_AxBxC.f32: raw floats whose shape ends the file's name.
Result<Tensor> readVector(const fs::path& folder, const std::string& name) {
  const std::regex pattern(name + "_([0-9]+(x[0-9]+)*)\\.f32");
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string file = entry.path().filename().string();
    std::smatch match;
    if (!std::regex_match(file, match, pattern)) continue;
    std::vector<std::int64_t> extents;
    std::stringstream text(match[1].str());
    for (std::string extent; std::getline(text, extent, 'x');) {
      extents.push_back(std::stoll(extent));
    }
    NARROWS_TRY(shape, Shape::create(extents));
    NARROWS_TRY(bytes, readFile(entry.path()));
    Tensor tensor(DType::f32, shape);
    if (bytes.size() != tensor.type().bytes()) return makeError("{}: {} bytes", file, bytes.size());
    std::copy(bytes.begin(), bytes.end(), tensor.mutableView().bytes().begin());
    return tensor;
  }
  return makeError("{} holds no vector {}", folder.string(), name);
}

/// Sample `index` of a stack of samples.
std::span<const float> sample(const Tensor& stack, std::size_t index, std::size_t elements) {
  return stack.as<float>().subspan(index * elements, elements);
}

std::size_t argMax(std::span<const float> values) {
  return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

/// Largest absolute difference over the range (largest minus smallest) of what is expected.
double relativeError(std::span<const float> actual, std::span<const float> expected) {
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double error =
        std::abs(static_cast<double>(actual[i]) - static_cast<double>(expected[i]));
    if (!(error <= worst)) worst = error;  // not a number is the worst
  }
  const auto [low, high] = std::minmax_element(expected.begin(), expected.end());
  return worst / static_cast<double>(*high - *low);
}

/// The largest relative error of one model on one engine; expects every sample within 1e-3 and
/// every arg max equal.
Result<double> checkModel(const fs::path& folder, std::string_view engine_name,
                          const ModelVectors& vectors) {
  NARROWS_TRY(graph, readModel(folder / vectors.model));
  NARROWS_TRY(engine, makeEngine(engine_name));
  NARROWS_TRY(program, engine->compile(graph, EngineOptions()));
  NARROWS_TRY(inputs, readVector(folder / "testvec", vectors.input));
  std::vector<Tensor> expected;
  for (const char* name : vectors.outputs) {
    NARROWS_TRY(output, readVector(folder / "testvec", name));
    expected.push_back(std::move(output));
  }
  if (program->outputTypes().size() != expected.size()) return makeError("other outputs");

  const Shape& input_shape = program->inputTypes()[0].shape;
  const auto input_elements = static_cast<std::size_t>(input_shape.elements());
  const std::size_t samples = inputs.as<float>().size() / input_elements;
  double worst = 0;
  double seconds = 0;
  for (std::size_t i = 0; i < samples; ++i) {
    const Tensor input = Tensor::from<float>(input_shape, sample(inputs, i, input_elements));
    const auto start = std::chrono::steady_clock::now();
    NARROWS_TRY(outputs, runProgram(*program, std::vector<TensorView>{input}));
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    for (std::size_t k = 0; k < expected.size(); ++k) {
      const std::span<const float> actual = outputs[k].as<float>();
      if (actual.size() * samples != expected[k].as<float>().size()) return makeError("other size");
      const auto stored = sample(expected[k], i, actual.size());
      const double error = relativeError(actual, stored);
      EXPECT_LE(error, 1e-3) << vectors.outputs[k] << " sample " << i;
      worst = std::max(worst, error);
      if (vectors.picks) {
        EXPECT_EQ(argMax(actual), argMax(stored)) << "sample " << i;
      }
    }
  }
  fmt::print(
      "{:35} {:10} largest error {:.2g} of the output's range, {:.0f} ms a sample (measured)\n",
      vectors.model, engine_name, worst, 1e3 * seconds / static_cast<double>(samples));
  return worst;
}

TEST(ModelVectors, AreReproducedByEveryEngine) {
  NARROWS_REQUIRE_SHARED();
  double worst = 0;
  for (std::string_view engine_name : engineNames()) {
    for (const ModelVectors& vectors : allModels()) {
      SCOPED_TRACE(fmt::format("{} on {}", vectors.model, engine_name));
      auto error = checkModel(*sharedData() / "models", engine_name, vectors);
      ASSERT_TRUE(error.ok()) << error.error().message;
      worst = std::max(worst, *error);
    }
  }
  recordFigure("vectors_max_rel_error", worst, "ratio");
}

}  // namespace
}  // namespace narrows::test
