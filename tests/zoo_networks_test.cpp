// The zoo against other witnesses: the Darknet reader on the layers of the published .cfg files,
// trained files of the same networks, and the engines against one another.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <sstream>

#include "narrows/engine/engine.h"
#include "narrows/formats/darknet_reader.h"
#include "narrows/formats/model_file.h"
#include "narrows/formats/onnx_writer.h"
#include "narrows/graph/cost.h"
#include "narrows/graph/passes.h"
#include "narrows/graph/text.h"
#include "narrows/zoo/conv_block.h"
#include "narrows/zoo/yolov10_blocks.h"
#include "narrows/zoo/zoo.h"
#include "tests/support/shared_data.h"

namespace narrows::test {
namespace {

Graph simplifiedZoo(std::string_view name, bool weights = false) {
  auto model = buildZooModel(name, 1, weights);
  EXPECT_TRUE(model.ok()) << model.error().message;
  if (!model.ok()) return {};
  auto graph = simplify(model->graph);
  EXPECT_TRUE(graph.ok()) << graph.error().message;
  return graph.ok() ? std::move(*graph) : Graph();
}

std::vector<Op> operators(const Graph& graph) {
  std::vector<Op> ops;
  for (const Node& node : graph.nodes()) ops.push_back(node.op);
  return ops;
}

/// Sections of a .cfg in short: "3x64" is a convolution of 64 filters with normalisation and leaky
/// ReLU, "7x64/2" the same with stride 2, "1x425!" one without normalisation and activation,
/// "1x1000~" one without normalisation, "m" a 2 x 2 maximum, "r-9" and "r-1,-4" routes, "o" a
/// reorg, anything else stands for itself.
std::string darknetText(std::int64_t size, std::string_view sections) {
  std::string text = fmt::format("[net]\nwidth={}\nheight={}\nchannels=3\n", size, size);
  std::istringstream words{std::string(sections)};
  for (std::string word; words >> word;) {
    if (word == "m") {
      text += "[maxpool]\nsize=2\nstride=2\n";
    } else if (word == "o") {
      text += "[reorg]\nstride=2\n";
    } else if (word[0] == 'r') {
      text += fmt::format("[route]\nlayers={}\n", word.substr(1));
    } else if (word[0] == '[') {
      text += word + "\n";
    } else {
      const bool plain = word.back() == '!' || word.back() == '~';
      const bool linear = word.back() == '!';
      const std::size_t slash = word.find('/');
      text += fmt::format(
          "[convolutional]\n{}filters={}\nsize={}\nstride={}\npad=1\nactivation={}\n",
          plain ? "" : "batch_normalize=1\n", std::atoi(word.c_str() + 2), word[0],
          slash == std::string::npos ? "1" : word.substr(slash + 1), linear ? "linear" : "leaky");
    }
  }
  return text;
}

// cfg/extraction.cfg and cfg/yolov2.cfg of Darknet.
constexpr std::string_view kExtraction =
    "7x64/2 m 3x192 m 1x128 3x256 1x256 3x512 m 1x256 3x512 1x256 3x512 1x256 3x512 1x256 3x512 "
    "1x512 3x1024 m 1x512 3x1024 1x512 3x1024 1x1000~ [avgpool] [softmax]";
constexpr std::string_view kYolov2 =
    "3x32 m 3x64 m 3x128 1x64 3x128 m 3x256 1x128 3x256 m 3x512 1x256 3x512 1x256 3x512 m 3x1024 "
    "1x512 3x1024 1x512 3x1024 3x1024 3x1024 r-9 1x64 o r-1,-4 3x1024 1x425!";

constexpr std::int64_t kMost = std::int64_t{1} << 29;

void expectSameNetwork(const Graph& zoo, std::int64_t size, std::string_view sections) {
  auto read = parseDarknet(darknetText(size, sections), DarknetRandomWeights{1, kMost, false});
  ASSERT_TRUE(read.ok()) << read.error().message;
  auto graph = simplify(read->graph);
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  EXPECT_TRUE(operators(zoo) == operators(*graph)) << formatGraph(zoo) << formatGraph(*graph);
  EXPECT_EQ(cost(zoo).macs, cost(*graph).macs);
  EXPECT_EQ(cost(zoo).parameters, cost(*graph).parameters);
  EXPECT_EQ(zoo.shape(zoo.outputs()[0]).elements(), graph->shape(graph->outputs()[0]).elements());
}

TEST(ZooNetworks, GooglenetIsTheExtractionNetworkOfDarknet) {
  expectSameNetwork(simplifiedZoo("zoo:googlenet@64"), 64, kExtraction);
}

TEST(ZooNetworks, Yolov2IsTheNetworkOfDarknet) {
  expectSameNetwork(simplifiedZoo("zoo:yolov2@64"), 64, kYolov2);
}

Graph simplifiedFile(std::string_view name) {
  auto graph = readModel(*sharedData() / "models" / name);
  EXPECT_TRUE(graph.ok()) << graph.error().message;
  if (!graph.ok()) return {};
  auto simple = simplify(*graph);
  EXPECT_TRUE(simple.ok()) << simple.error().message;
  return simple.ok() ? std::move(*simple) : Graph();
}

std::vector<std::int64_t> layerMacs(const Graph& graph) {
  std::vector<std::int64_t> counts;
  for (NodeId id : nodeIds(graph)) {
    if (const std::int64_t count = macs(graph, id); count > 0) counts.push_back(count);
  }
  return counts;
}

TEST(ZooNetworks, MobilenetV2CountsAsItsTrainedFile) {
  NARROWS_REQUIRE_SHARED();
  const Graph file = simplifiedFile("mobilenetv2-imagenet.onnx");
  const Graph zoo = simplifiedZoo("zoo:mobilenetv2,classes=1001");
  EXPECT_EQ(layerMacs(zoo), layerMacs(file));
  EXPECT_EQ(cost(zoo).parameters, cost(file).parameters);
  EXPECT_EQ(zoo.nodeCount(), file.nodeCount());
}

TEST(ZooNetworks, SqueezenetCountsAsItsTrainedFile) {
  NARROWS_REQUIRE_SHARED();
  const Graph file = simplifiedFile("squeezenet1_0-imagenet.onnx");
  const Graph zoo = simplifiedZoo("zoo:squeezenet@227");
  EXPECT_EQ(cost(zoo).parameters, cost(file).parameters);
  EXPECT_EQ(zoo.nodeCount(), file.nodeCount());
  // The file pads its last convolution by 1: a map of 15 x 15 instead of 13 x 13.
  std::vector<std::int64_t> expected = layerMacs(zoo);
  EXPECT_EQ(expected.back(), std::int64_t{13 * 13} * 512 * 1000);
  expected.back() = std::int64_t{15 * 15} * 512 * 1000;
  EXPECT_EQ(layerMacs(file), expected);
}

Tensor randomImage(std::int64_t size, std::uint32_t seed) {
  std::mt19937 random(seed);
  Tensor image(DType::f32, Shape{1, 3, size, size});
  for (float& value : image.mutableAs<float>())
    value = static_cast<float>(random() >> 8U) * 0x1.0p-24F;
  return image;
}

std::vector<Tensor> outputsOf(std::string_view engine_name, const Graph& graph,
                              const Tensor& image) {
  auto engine = makeEngine(engine_name);
  EXPECT_TRUE(engine.ok());
  auto program = (*engine)->compile(graph, {});
  EXPECT_TRUE(program.ok()) << program.error().message;
  if (!program.ok()) return {};
  const TensorView view = image.view();
  auto outputs = runProgram(**program, std::span(&view, 1));
  EXPECT_TRUE(outputs.ok()) << outputs.error().message;
  return outputs.ok() ? std::move(*outputs) : std::vector<Tensor>();
}

/// Largest difference, as a share of the largest magnitude.
double relativeDifference(const Tensor& a, const Tensor& b) {
  double largest = 0;
  double difference = 0;
  const auto x = a.as<float>();
  const auto y = b.as<float>();
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_TRUE(std::isfinite(x[i]) && std::isfinite(y[i]));
    largest = std::max(largest, std::abs(static_cast<double>(x[i])));
    difference = std::max(difference, std::abs(static_cast<double>(x[i]) - y[i]));
  }
  EXPECT_GT(largest, 0);
  return difference / largest;
}

TEST(ZooNetworks, EnginesAgreeOnEveryNetwork) {
  std::vector<std::string_view> others = engineNames();
  std::erase(others, "reference");
  if (others.empty()) GTEST_SKIP() << "this build has one engine";
  const Tensor image = randomImage(64, 5);
  for (const ZooEntry& entry : zooEntries()) {
    const std::string name = fmt::format("zoo:{}@64,width=0.25,classes=10", entry.name);
    SCOPED_TRACE(name);
    auto model = buildZooModel(name, 1);
    ASSERT_TRUE(model.ok()) << model.error().message;
    const auto expected = outputsOf("reference", model->graph, image);
    ASSERT_EQ(expected.size(), model->graph.outputs().size());
    for (std::string_view engine : others) {
      const auto got = outputsOf(engine, model->graph, image);
      ASSERT_EQ(got.size(), expected.size());
      for (std::size_t i = 0; i < got.size(); ++i)
        EXPECT_LT(relativeDifference(expected[i], got[i]), 1e-4) << engine;
    }
  }
}

/// The softmax of `values`, in double.
std::vector<double> softmaxOf(std::span<const double> values) {
  const double largest = *std::max_element(values.begin(), values.end());
  std::vector<double> shares;
  double sum = 0;
  for (double value : values) {
    shares.push_back(std::exp(value - largest));
    sum += shares.back();
  }
  for (double& share : shares) share /= sum;
  return shares;
}

TEST(ZooNetworks, AttentionOfYolov10IsTheEquation) {
  // softmax(q^T k / sqrt(keys)) over the cells, for each head; values weighted by it.
  constexpr std::int64_t kHeads = 2, kKeys = 32, kValues = 64, kCells = 6;
  Graph graph;
  LayerBuilder layers(graph, ZooOptions{});
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 256, 3, 2}});
  ASSERT_TRUE(psa(layers, x, "psa").ok());
  ASSERT_TRUE(graph
                  .setOutputs({graph.findValue("psa.attn.qkv.norm"),
                               graph.findValue("psa.attn.map"), graph.findValue("psa.attn.values")})
                  .ok());
  Tensor input(DType::f32, graph.shape(x));
  std::mt19937 random(3);
  for (float& value : input.mutableAs<float>())
    value = static_cast<float>(random() >> 8U) * 0x1.0p-24F;
  const auto outputs = outputsOf("reference", graph, input);
  ASSERT_EQ(outputs.size(), 3U);
  const auto at = [](const Tensor& map, std::int64_t channel, std::int64_t cell) {
    return static_cast<double>(map.as<float>()[static_cast<std::size_t>(channel * kCells + cell)]);
  };
  for (std::int64_t head = 0; head < kHeads; ++head) {
    const std::int64_t q = head * (2 * kKeys + kValues), k = q + kKeys, v = k + kKeys;
    for (std::int64_t i = 0; i < kCells; ++i) {
      std::vector<double> scores(kCells, 0.0);
      for (std::int64_t j = 0; j < kCells; ++j) {
        for (std::int64_t c = 0; c < kKeys; ++c)
          scores[static_cast<std::size_t>(j)] +=
              at(outputs[0], q + c, i) * at(outputs[0], k + c, j);
        scores[static_cast<std::size_t>(j)] /= std::sqrt(static_cast<double>(kKeys));
      }
      const std::vector<double> shares = softmaxOf(scores);
      for (std::int64_t c = 0; c < kValues; ++c) {
        double expected = 0;
        for (std::int64_t j = 0; j < kCells; ++j)
          expected += shares[static_cast<std::size_t>(j)] * at(outputs[0], v + c, j);
        EXPECT_NEAR(at(outputs[1], head * kValues + c, i), expected, 1e-4);
        EXPECT_EQ(at(outputs[2], head * kValues + c, i), at(outputs[0], v + c, i));
      }
    }
  }
}

TEST(ZooNetworks, BoxesOfYolov10AreTheMeansOfTheirBins) {
  constexpr std::int64_t kBins = 16, kClasses = 3;
  auto model = buildZooModel("zoo:yolov10n@64,width=0.25,classes=3", 1);
  ASSERT_TRUE(model.ok());
  Graph& graph = model->graph;
  ASSERT_TRUE(graph
                  .setOutputs({graph.findValue("model.23.split"),
                               graph.findValue("model.23.split:1"), graph.findValue("boxes")})
                  .ok());
  const auto outputs = outputsOf("reference", graph, randomImage(64, 8));
  ASSERT_EQ(outputs.size(), 3U);
  // Strides 8, 16 and 32.
  constexpr std::int64_t kCells = 64 + 16 + 4;
  ASSERT_EQ(outputs[2].shape(), (Shape{1, 4 + kClasses, kCells}));
  const auto at = [](const Tensor& map, std::int64_t row, std::int64_t cell) {
    return static_cast<double>(map.as<float>()[static_cast<std::size_t>(row * kCells + cell)]);
  };
  for (std::int64_t cell = 0; cell < kCells; ++cell) {
    for (std::int64_t side = 0; side < 4; ++side) {
      std::vector<double> bins;
      for (std::int64_t bin = 0; bin < kBins; ++bin)
        bins.push_back(at(outputs[0], side * kBins + bin, cell));
      const std::vector<double> shares = softmaxOf(bins);
      double mean = 0;
      for (std::size_t bin = 0; bin < shares.size(); ++bin)
        mean += static_cast<double>(bin) * shares[bin];
      EXPECT_NEAR(at(outputs[2], side, cell), mean, 1e-4);
    }
    for (std::int64_t label = 0; label < kClasses; ++label) {
      const double score = 1 / (1 + std::exp(-at(outputs[1], label, cell)));
      EXPECT_NEAR(at(outputs[2], 4 + label, cell), score, 1e-6);
    }
  }
}

TEST(ZooNetworks, WithoutWeightsNothingRunsOrIsWritten) {
  auto model = buildZooModel("zoo:mini-yolo", 1, false);
  ASSERT_TRUE(model.ok());
  const std::string expected =
      "constant \"conv1.weight\" has a type but no elements: the graph was built to be counted "
      "only";
  for (std::string_view name : engineNames()) {
    auto engine = makeEngine(name);
    ASSERT_TRUE(engine.ok());
    auto program = (*engine)->compile(model->graph, {});
    ASSERT_FALSE(program.ok()) << name;
    EXPECT_NE(program.error().message.find(expected), std::string::npos) << program.error().message;
  }
  const auto path = std::filesystem::path(testing::TempDir()) / "no-weights.onnx";
  const Status written = writeOnnx(model->graph, path);
  ASSERT_FALSE(written.ok());
  EXPECT_NE(written.error().message.find(expected), std::string::npos) << written.error().message;
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace narrows::test
