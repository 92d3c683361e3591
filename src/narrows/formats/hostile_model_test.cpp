#include <gtest/gtest.h>

#include <random>

#include "narrows/formats/darknet_reader.h"
#include "narrows/formats/onnx_reader.h"
#include "narrows/formats/onnx_tensor.h"
#include "narrows/formats/onnx_test_model.h"
#include "narrows/formats/onnx_writer.h"
#include "narrows/graph/random_graph.h"

namespace narrows {
namespace {

using test::OnnxTestModel;

/// Every read either gives a verified graph or one non-empty error.
template <class Value>
void expectGraphOrError(const Result<Value>& result) {
  EXPECT_TRUE(result.ok() || !result.error().message.empty());
}

OnnxReadOptions bounded() {
  OnnxReadOptions options;
  options.max_computed_bytes = std::size_t{1} << 20;
  return options;
}

OnnxTestModel shapeModel() {
  OnnxTestModel model(13);
  model.input("x", {-1, 2, 4, 4}).floats("w", {2, 2, 3, 3}, std::vector<float>(36, 0.5f));
  model.node("Conv", {"x", "w"}, {"c"}).with("pads", Ints{1, 1, 1, 1}).with("auto_pad", "NOTSET");
  model.node("Shape", {"c"}, {"s"});
  model.ints("i", {0, 1}).ints("tail", {-1});
  model.node("Gather", {"s", "i"}, {"head"}).with("axis", 0);
  model.node("Concat", {"head", "tail"}, {"wanted"}).with("axis", 0);
  model.node("Reshape", {"c", "wanted"}, {"y"});
  model.node("Softmax", {"y"}, {"z"}).with("axis", -1);
  model.output("z", {-1, 2, 16});
  return model;
}

TEST(HostileOnnx, TruncationAtEveryLengthIsAnError) {
  const ByteVector whole = shapeModel().bytes();
  ASSERT_TRUE(readOnnx(whole).ok()) << readOnnx(whole).error().message;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    auto graph = readOnnx(ByteSpan(whole).first(length), bounded());
    // The opset lies behind the graph, so that no shorter model is whole.
    ASSERT_FALSE(graph.ok()) << length << " of " << whole.size();
    EXPECT_FALSE(graph.error().message.empty());
  }
}

TEST(HostileOnnx, FlippedBitsNeverCrash) {
  const ByteVector whole = shapeModel().bytes();
  std::size_t read = 0;
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    ByteVector bytes = whole;
    bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    auto graph = readOnnx(bytes, bounded());
    expectGraphOrError(graph);
    if (graph.ok()) ++read;
  }
  EXPECT_GT(read, 0u);  // weights may be any floats
}

TEST(HostileOnnx, RandomDamageNeverCrashes) {
  for (std::uint32_t seed = 1; seed <= 1500; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937 random(seed);
    ByteVector bytes = *serializeOnnx(randomGraph(seed % 20 + 1));
    const std::size_t count = 1 + random() % 12;
    for (std::size_t i = 0; i < count; ++i) {
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    }
    expectGraphOrError(readOnnx(bytes, bounded()));
  }
}

TEST(HostileOnnx, OtherFilesAreNoModels) {
  const auto errorOf = [](std::string_view text) {
    auto graph = readOnnx(asBytes(text));
    return graph.ok() ? "read without an error" : graph.error().message;
  };
  EXPECT_EQ(errorOf(""), "not an ONNX model: the file is empty");
  EXPECT_TRUE(errorOf("\x89PNG\r\n\x1a\n").starts_with("not an ONNX model: offset"));
  EXPECT_TRUE(errorOf("[net]\nwidth=4\n").starts_with("not an ONNX model"));
  EXPECT_TRUE(errorOf(std::string(64, '\0')).starts_with("not an ONNX model: offset 0"));
  EXPECT_TRUE(errorOf(std::string(64, '\xff')).starts_with("not an ONNX model: offset"));
}

TEST(HostileOnnx, CountsAreBounded) {
  // Two million empty nodes in four megabytes.
  std::string graph;
  graph.reserve(std::size_t{1} << 23);
  for (int i = 0; i < (1 << 22); ++i) graph += std::string_view("\x0a\x00", 2);
  const std::string model = OnnxTestModel::bytesField(7, graph);
  auto read = readOnnx(asBytes(model));
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().message, "not an ONNX model: more than 2097152 fields");
}

TEST(HostileOnnx, NestingIsBounded) {
  // An attribute holds a graph that holds a node that holds an attribute, and so on.
  std::string message;
  for (int i = 0; i < 200; ++i) {
    message = OnnxTestModel::bytesField(
        1, OnnxTestModel::bytesField(5, OnnxTestModel::bytesField(6, message)));
  }
  const std::string model = OnnxTestModel::bytesField(7, message);
  auto read = readOnnx(asBytes(model));
  ASSERT_FALSE(read.ok());
  EXPECT_NE(read.error().message.find("nested deeper than 32"), std::string::npos)
      << read.error().message;
}

TEST(HostileOnnx, TensorsAreReadOrRefused) {
  const std::string whole = OnnxTestModel::varintField(1, 3) + OnnxTestModel::varintField(2, 1) +
                            OnnxTestModel::bytesField(9, std::string(12, 'x'));
  ASSERT_TRUE(readTensorProto(asBytes(whole)).ok());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(readTensorProto(asBytes(whole.substr(0, length))).ok()) << length;
  }
}

constexpr std::string_view kCfg =
    "[net]\nwidth=8\nheight=8\nchannels=3\n\n[convolutional]\nfilters=4\nsize=3\nstride=1\npad=1\n"
    "batch_normalize=1\nactivation=leaky\n\n[maxpool]\nsize=2\nstride=2\n\n[convolutional]\n"
    "filters=14\nsize=1\nactivation=linear\n\n[yolo]\nmask=0,1\nanchors=1,2,3,4\nnum=2\nclasses="
    "2\n";
constexpr std::size_t kFloats = 4 * 4 + 4 * 3 * 9 + 14 + 14 * 4;

TEST(HostileDarknet, TruncatedWeightsAreAnError) {
  ByteVector whole(20 + kFloats * sizeof(float), std::byte{0});
  whole[4] = std::byte{2};
  ASSERT_TRUE(parseDarknet(kCfg, whole).ok()) << parseDarknet(kCfg, whole).error().message;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(parseDarknet(kCfg, ByteSpan(whole).first(length)).ok()) << length;
  }
  whole.push_back(std::byte{0});
  EXPECT_FALSE(parseDarknet(kCfg, whole).ok());
}

TEST(HostileDarknet, TruncatedTextNeverCrashes) {
  for (std::size_t length = 0; length < kCfg.size(); ++length) {
    expectGraphOrError(parseDarknet(kCfg.substr(0, length), DarknetRandomWeights{1, 1 << 20}));
  }
}

TEST(HostileDarknet, DamagedTextNeverCrashes) {
  for (std::uint32_t seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937 random(seed);
    std::string cfg(kCfg);
    const std::size_t count = 1 + random() % 6;
    for (std::size_t i = 0; i < count; ++i) {
      constexpr std::string_view kLetters = "0123456789-,.=[]\n ae";
      const char letter =
          random() % 2 != 0 ? kLetters[random() % kLetters.size()] : static_cast<char>(random());
      cfg[random() % cfg.size()] = letter;
    }
    expectGraphOrError(parseDarknet(cfg, DarknetRandomWeights{1, 1 << 20}));
  }
}

}  // namespace
}  // namespace narrows
