#include "narrows/formats/onnx_reader.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "narrows/base/file.h"
#include "narrows/formats/onnx_test_model.h"

namespace narrows {
namespace {

using test::OnnxTestModel;

std::string errorOf(const OnnxTestModel& model, const OnnxReadOptions& options = {}) {
  auto graph = readOnnx(model.bytes(), options);
  return graph.ok() ? "read without an error" : graph.error().message;
}

/// The operators of the graph that a model reads as; a failure of the test when it does not.
std::vector<Op> opsOf(const OnnxTestModel& model, const OnnxReadOptions& options = {}) {
  auto graph = readOnnx(model.bytes(), options);
  EXPECT_TRUE(graph.ok()) << graph.error().message;
  std::vector<Op> ops;
  if (!graph.ok()) return ops;
  for (const Node& node : graph->nodes()) ops.push_back(node.op);
  return ops;
}

/// The only operator of a model.
template <class T>
T onlyOp(const OnnxTestModel& model) {
  const std::vector<Op> ops = opsOf(model);
  EXPECT_EQ(ops.size(), 1u);
  if (ops.size() != 1 || !std::holds_alternative<T>(ops[0])) {
    ADD_FAILURE() << "another operator than " << T::kName;
    return {};
  }
  return std::get<T>(ops[0]);
}

TEST(OnnxReader, KeepsNamesAndTypes) {
  OnnxTestModel model;
  model.input("x", {1, 3, 8, 8}).floats("w", {4, 3, 1, 1}, std::vector<float>(12, 0.5f));
  model.node("Conv", {"x", "w"}, {"y"}, "stem").with("kernel_shape", Ints{1, 1});
  model.output("y", {1, 4, 8, 8});
  auto graph = readOnnx(model.bytes());
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  EXPECT_EQ(graph->name, "test");
  EXPECT_EQ(graph->node(NodeId(0)).name, "stem");
  EXPECT_EQ(graph->value(graph->inputs()[0]).name, "x");
  EXPECT_EQ(graph->value(graph->outputs()[0]).name, "y");
  EXPECT_EQ(graph->shape(graph->findValue("w")), (Shape{4, 3, 1, 1}));
  EXPECT_EQ(graph->value(graph->findValue("w")).constant->as<float>()[11], 0.5f);
}

TEST(OnnxReader, ComputesShapeArithmetic) {
  // Reshape(x, Concat(Unsqueeze(Gather(Shape(x), 0)), [-1])) as PyTorch exports a flatten.
  OnnxTestModel model(11);
  model.input("x", {-1, 3, 4, 5});
  model.node("Shape", {"x"}, {"shape"});
  model.tensor("zero", {}, 7, OnnxTestModel::varintField(7, 0));
  model.node("Gather", {"shape", "zero"}, {"batch"}).with("axis", 0);
  model.node("Unsqueeze", {"batch"}, {"batch1"}).with("axes", Ints{0});
  model.ints("rest", {-1});
  model.node("Concat", {"batch1", "rest"}, {"wanted"}).with("axis", 0);
  model.node("Reshape", {"x", "wanted"}, {"y"});
  model.output("y");
  OnnxReadOptions options;
  options.batch = 2;
  const std::vector<Op> ops = opsOf(model, options);
  ASSERT_EQ(ops.size(), 1u);
  EXPECT_EQ(ops[0], Op(Reshape{{2, 60}}));
}

TEST(OnnxReader, ResolvesSymbolicExtents) {
  OnnxTestModel model;
  model.input("image", {-1, 3, -1, 8});
  model.node("Relu", {"image"}, {"y"});
  model.output("y", {-1, 3, -1, 8});
  EXPECT_EQ(errorOf(model), "input \"image\": axis 2 (\"N\") is symbolic; give the input's shape");
  OnnxReadOptions options;
  options.input_shapes.emplace("image", Shape{4, 3, 6, 8});
  auto graph = readOnnx(model.bytes(), options);
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  EXPECT_EQ(graph->shape(graph->outputs()[0]), (Shape{4, 3, 6, 8}));
  options.input_shapes.at("image") = Shape{4, 3, 6, 9};
  EXPECT_EQ(errorOf(model, options), "input \"image\": axis 3 is 8 in the file, given as 9");
  options.input_shapes.clear();
  options.input_shapes.emplace("picture", Shape{1, 3, 6, 8});
  EXPECT_NE(errorOf(model, options), "read without an error");
}

TEST(OnnxReader, BindsInputsAsConstants) {
  OnnxTestModel model;
  model.input("x", {2, 6}).input("shape", {2}, 7);
  model.node("Reshape", {"x", "shape"}, {"y"});
  model.output("y");
  EXPECT_EQ(errorOf(model),
            "node \"y\" (Reshape): the shape (\"shape\") is not known before the network runs");
  OnnxReadOptions options;
  options.constants.emplace("shape", Tensor::from<std::int64_t>(Shape{2}, {3, 4}));
  const std::vector<Op> ops = opsOf(model, options);
  ASSERT_EQ(ops.size(), 1u);
  EXPECT_EQ(ops[0], Op(Reshape{{3, 4}}));
}

TEST(OnnxReader, NamesEveryUnsupportedOperator) {
  OnnxTestModel model;
  model.input("x", {2});
  model.node("Unique", {"x"}, {"a"}, "nms");
  model.node("Relu", {"x"}, {"b"});
  model.node("Focus", {"b"}, {"c"}, "", "com.example");
  model.output("c");
  EXPECT_EQ(errorOf(model),
            "unsupported operators: Unique (node \"nms\"), com.example.Focus (node "
            "\"c\")");
}

TEST(OnnxReader, RefusesOpsetsItDoesNotKnow) {
  for (std::int64_t opset : {std::int64_t{0}, std::int64_t{6}, kNewestOpset + 1}) {
    OnnxTestModel model(opset);
    model.input("x", {2}).node("Relu", {"x"}, {"y"});
    model.output("y");
    EXPECT_EQ(errorOf(model), fmt::format("opset {}, 7 to {} are read", opset, kNewestOpset));
  }
}

TEST(OnnxReader, RefusesAttributesItDoesNotKnow) {
  OnnxTestModel model;
  model.input("x", {2}).node("Relu", {"x"}, {"y"}, "r").with("leak", 1);
  model.output("y");
  EXPECT_EQ(errorOf(model), "node \"r\" (Relu): attribute \"leak\" is not supported");
}

TEST(OnnxReader, ReadsClipOfEveryOpset) {
  OnnxTestModel old_form(10);
  old_form.input("x", {2}).node("Clip", {"x"}, {"y"}).with("min", 0.0).with("max", 6.0);
  old_form.output("y");
  EXPECT_EQ(onlyOp<Clip>(old_form), (Clip{0, 6}));
  OnnxTestModel new_form(13);
  new_form.input("x", {2}).floats("low", {}, {-0.1f});
  new_form.node("Clip", {"x", "low"}, {"y"});
  new_form.output("y");
  EXPECT_EQ(onlyOp<Clip>(new_form).low, -0.1);
  EXPECT_EQ(static_cast<float>(onlyOp<Clip>(new_form).high), std::numeric_limits<float>::max());
}

TEST(OnnxReader, ReadsSliceOfEveryOpset) {
  OnnxTestModel old_form(9);
  old_form.input("x", {4, 10});
  old_form.node("Slice", {"x"}, {"y"})
      .with("starts", Ints{-3})
      .with("ends", Ints{1 << 30})
      .with("axes", Ints{1});
  old_form.output("y", {4, 3});
  EXPECT_EQ(onlyOp<Slice>(old_form), (Slice{{0, 7}, {4, 3}, {1, 1}}));
  OnnxTestModel new_form(13);
  new_form.input("x", {4, 10});
  new_form.ints("starts", {-1, 8}).ints("ends", {std::numeric_limits<std::int64_t>::min(), 0});
  new_form.ints("axes", {0, -1}).ints("steps", {-2, -3});
  new_form.node("Slice", {"x", "starts", "ends", "axes", "steps"}, {"y"});
  new_form.output("y", {2, 3});
  EXPECT_EQ(onlyOp<Slice>(new_form), (Slice{{3, 8}, {2, 3}, {-2, -3}}));
}

TEST(OnnxReader, ClampsSlicesAsOnnxDoes) {
  // Against a literal walk over the elements that a slice names. Unlike NumPy's, a start before the
  // first element is the first one for a negative step too.
  for (std::int64_t extent : {0, 1, 5}) {
    for (std::int64_t start = -7; start <= 7; ++start) {
      for (std::int64_t end = -7; end <= 7; ++end) {
        for (std::int64_t step : {-7, -2, -1, 1, 2, 7}) {
          const auto from_front = [extent](std::int64_t at) { return at < 0 ? at + extent : at; };
          std::vector<std::int64_t> taken;
          std::int64_t at = from_front(start);
          if (step > 0) at = std::max<std::int64_t>(at, 0);
          if (step < 0) at = std::min(std::max<std::int64_t>(at, 0), extent - 1);
          const std::int64_t stop = from_front(end);
          for (; step > 0 ? at < std::min(stop, extent) : at > std::max<std::int64_t>(stop, -1);
               at += step) {
            taken.push_back(at);
          }
          OnnxTestModel model(13);
          model.input("x", {extent}).ints("s", {start}).ints("e", {end}).ints("a", {0});
          model.ints("st", {step}).node("Slice", {"x", "s", "e", "a", "st"}, {"y"});
          model.output("y");
          auto graph = readOnnx(model.bytes());
          ASSERT_TRUE(graph.ok()) << graph.error().message;
          const auto& slice = std::get<Slice>(graph->node(NodeId(0)).op);
          ASSERT_EQ(slice.lengths[0], std::ssize(taken))
              << extent << ": " << start << ":" << end << ":" << step;
          ASSERT_EQ(slice.starts[0], taken.empty() ? 0 : taken[0]);
        }
      }
    }
  }
}

TEST(OnnxReader, ReadsPadOfEveryOpset) {
  OnnxTestModel old_form(10);
  old_form.input("x", {2, 3});
  old_form.node("Pad", {"x"}, {"y"}).with("pads", Ints{0, 1, 0, 2}).with("value", 1.5);
  old_form.output("y");
  EXPECT_EQ(onlyOp<Pad>(old_form), (Pad{PadMode::constant, {0, 1}, {0, 2}, 1.5}));
  OnnxTestModel new_form(18);
  new_form.input("x", {2, 3}).ints("pads", {1, 2}).ints("axes", {-1});
  new_form.node("Pad", {"x", "pads", "", "axes"}, {"y"}).with("mode", "reflect");
  new_form.output("y");
  EXPECT_EQ(onlyOp<Pad>(new_form), (Pad{PadMode::reflect, {0, 1}, {0, 2}, 0}));
}

TEST(OnnxReader, ReadsSplitOfEveryOpset) {
  OnnxTestModel old_form(11);
  old_form.input("x", {6});
  old_form.node("Split", {"x"}, {"a", "b"}).with("axis", 0);
  old_form.output("a").output("b");
  EXPECT_EQ(onlyOp<Split>(old_form), (Split{0, {3, 3}}));
  OnnxTestModel sized(13);
  sized.input("x", {6}).ints("sizes", {1, 5}).node("Split", {"x", "sizes"}, {"a", "b"});
  sized.output("a").output("b");
  EXPECT_EQ(onlyOp<Split>(sized), (Split{0, {1, 5}}));
  OnnxTestModel uneven(18);
  uneven.input("x", {7}).node("Split", {"x"}, {"a", "b", "c"}).with("num_outputs", 3);
  uneven.output("a").output("b").output("c");
  EXPECT_EQ(onlyOp<Split>(uneven), (Split{0, {3, 3, 1}}));
}

TEST(OnnxReader, ReadsAxesAsAttributeAndAsInput) {
  OnnxTestModel old_form(12);
  old_form.input("x", {2, 3, 4});
  old_form.node("ReduceSum", {"x"}, {"y"}).with("axes", Ints{-1}).with("keepdims", 0);
  old_form.output("y");
  EXPECT_EQ(onlyOp<Reduce>(old_form), (Reduce{ReduceKind::sum, {2}, false}));
  OnnxTestModel new_form(13);
  new_form.input("x", {2, 3, 4}).ints("axes", {1});
  new_form.node("ReduceSum", {"x", "axes"}, {"y"});
  new_form.output("y");
  EXPECT_EQ(onlyOp<Reduce>(new_form), (Reduce{ReduceKind::sum, {1}, true}));
  OnnxTestModel all(18);
  all.input("x", {2, 3, 4}).node("ReduceMean", {"x"}, {"y"});
  all.output("y");
  EXPECT_EQ(onlyOp<Reduce>(all), (Reduce{ReduceKind::mean, {0, 1, 2}, true}));
  OnnxTestModel none(18);
  none.input("x", {2, 3, 4}).node("ReduceMean", {"x"}, {"y"}).with("noop_with_empty_axes", 1);
  none.output("y");
  onlyOp<Identity>(none);
  OnnxTestModel squeeze(11);
  squeeze.input("x", {1, 3, 1}).node("Squeeze", {"x"}, {"y"}).with("axes", Ints{-1});
  squeeze.output("y");
  EXPECT_EQ(onlyOp<Reshape>(squeeze), (Reshape{{1, 3}}));
}

TEST(OnnxReader, FlattensSoftmaxBeforeOpset13) {
  const auto model = [](std::int64_t opset) {
    OnnxTestModel built(opset);
    built.input("x", {2, 3, 4}).node("Softmax", {"x"}, {"y"}).with("axis", 1);
    built.output("y", {2, 3, 4});
    return built;
  };
  EXPECT_EQ(opsOf(model(12)),
            (std::vector<Op>{Reshape{{2, 12}}, Softmax{1, false}, Reshape{{2, 3, 4}}}));
  EXPECT_EQ(onlyOp<Softmax>(model(13)), (Softmax{1, false}));
}

TEST(OnnxReader, ReadsResizeOfEveryOpset) {
  OnnxTestModel upsample(7);
  upsample.input("x", {1, 1, 2, 3});
  upsample.node("Upsample", {"x"}, {"y"}).with("scales", std::vector<float>{1, 1, 2, 3});
  upsample.output("y", {1, 1, 4, 9});
  const Resize oldest = onlyOp<Resize>(upsample);
  EXPECT_EQ(oldest.coordinates, ResizeCoordinates::asymmetric);
  EXPECT_EQ(oldest.rounding, ResizeRounding::floor);
  EXPECT_EQ(oldest.sizes, (Ints{1, 1, 4, 9}));

  OnnxTestModel first(10);
  first.input("x", {1, 1, 2, 3}).floats("s", {4}, {1, 1, 2, 3});
  first.node("Resize", {"x", "s"}, {"y"});
  first.output("y");
  EXPECT_EQ(onlyOp<Resize>(first), oldest);

  OnnxTestModel scaled(13);
  scaled.input("x", {1, 1, 5, 5}).floats("s", {4}, {1, 1, 0.6f, 0.6f});
  scaled.node("Resize", {"x", "", "s"}, {"y"}).with("mode", "linear");
  scaled.output("y", {1, 1, 3, 3});
  EXPECT_EQ(onlyOp<Resize>(scaled).scales, (std::vector<double>{1, 1, 0.6, 0.6}));

  OnnxTestModel kept(18);
  kept.input("x", {1, 1, 4, 8}).ints("sizes", {8, 8});
  kept.node("Resize", {"x", "", "", "sizes"}, {"y"})
      .with("axes", Ints{2, 3})
      .with("keep_aspect_ratio_policy", "not_larger");
  kept.output("y", {1, 1, 4, 8});
  EXPECT_EQ(onlyOp<Resize>(kept).scales, (std::vector<double>{1, 1, 1, 1}));
}

TEST(OnnxReader, ResolvesAutomaticPadding) {
  const auto pads = [](const char* auto_pad, std::int64_t extent, std::int64_t stride) {
    OnnxTestModel model;
    model.input("x", {1, 1, extent, extent}).floats("w", {1, 1, 4, 4}, std::vector<float>(16));
    model.node("Conv", {"x", "w"}, {"y"})
        .with("auto_pad", auto_pad)
        .with("strides", Ints{stride, stride});
    model.output("y");
    return onlyOp<Conv2d>(model).window.pads;
  };
  EXPECT_EQ(pads("SAME_UPPER", 7, 1), (Padding2d{1, 1, 2, 2}));
  EXPECT_EQ(pads("SAME_LOWER", 7, 1), (Padding2d{2, 2, 1, 1}));
  EXPECT_EQ(pads("SAME_UPPER", 7, 2), (Padding2d{1, 1, 2, 2}));
  EXPECT_EQ(pads("SAME_UPPER", 8, 2), (Padding2d{1, 1, 1, 1}));
  EXPECT_EQ(pads("VALID", 7, 1), (Padding2d{}));
}

TEST(OnnxReader, PadsTransposedConvolutionsToTheirOutputShape) {
  OnnxTestModel model;
  model.input("x", {1, 1, 3, 3}).floats("w", {1, 2, 3, 3}, std::vector<float>(18));
  model.node("ConvTranspose", {"x", "w"}, {"y"})
      .with("strides", Ints{3, 2})
      .with("output_shape", Ints{10, 6});
  model.output("y", {1, 2, 10, 6});
  const ConvTranspose2d op = onlyOp<ConvTranspose2d>(model);
  // Rows: 3 * 2 + 3 = 9, one row too few. Columns: 2 * 2 + 3 = 7, one too many, cut in front.
  EXPECT_EQ(op.output_padding, (Extent2d{1, 0}));
  EXPECT_EQ(op.window.pads, (Padding2d{0, 1, 0, 0}));
}

TEST(OnnxReader, ReadsSequencesAsMapsOfHeightOne) {
  OnnxTestModel model;
  model.input("x", {1, 2, 9}).floats("w", {3, 2, 3}, std::vector<float>(18));
  model.node("Conv", {"x", "w"}, {"y"}).with("strides", Ints{2}).with("pads", Ints{1, 0});
  model.output("y", {1, 3, 4});
  const std::vector<Op> ops = opsOf(model);
  ASSERT_EQ(ops.size(), 3u);
  EXPECT_EQ(ops[0], Op(Reshape{{1, 2, 1, 9}}));
  const auto& window = std::get<Conv2d>(ops[1]).window;
  EXPECT_EQ(window.kernel, (Extent2d{1, 3}));
  EXPECT_EQ(window.stride, (Extent2d{1, 2}));
  EXPECT_EQ(window.pads, (Padding2d{0, 1, 0, 0}));
  EXPECT_EQ(ops[2], Op(Reshape{{1, 3, 4}}));
}

TEST(OnnxReader, DropsDropout) {
  OnnxTestModel model;
  model.input("x", {2, 2}).node("Dropout", {"x"}, {"y", "mask"});
  model.output("y").output("mask", {2, 2}, 9);
  auto graph = readOnnx(model.bytes());
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  EXPECT_EQ(graph->node(NodeId(0)).op, Op(Identity{}));
  const Value& mask = graph->value(graph->outputs()[1]);
  ASSERT_TRUE(mask.isConstant());
  EXPECT_TRUE(mask.constant->as<bool>()[3]);
}

TEST(OnnxReader, RefusesWhatTheNodesDoNotMake) {
  OnnxTestModel backwards;
  backwards.input("x", {2}).node("Relu", {"a"}, {"b"});
  backwards.node("Relu", {"x"}, {"a"});
  backwards.output("b");
  EXPECT_EQ(errorOf(backwards), "node \"b\" (Relu): reads \"a\", which nothing before it makes");
  OnnxTestModel twice;
  twice.input("x", {2}).node("Relu", {"x"}, {"y"});
  twice.node("Neg", {"x"}, {"y"});
  twice.output("y");
  EXPECT_EQ(errorOf(twice), "node \"y\" (Neg): value \"y\" is made twice");
  OnnxTestModel absent;
  absent.input("x", {2}).output("z");
  EXPECT_EQ(errorOf(absent), "output \"z\": nothing makes it");
  OnnxTestModel lying;
  lying.input("x", {2}).node("Relu", {"x"}, {"y"});
  lying.output("y", {3});
  EXPECT_EQ(errorOf(lying), "output \"y\": declared as 3, the network gives 2");
  OnnxTestModel mistyped;
  mistyped.input("x", {2}).node("Relu", {"x"}, {"y"});
  mistyped.output("y", {2}, 7);
  EXPECT_EQ(errorOf(mistyped), "output \"y\": declared as i64, the network gives f32");
}

TEST(OnnxReader, RefusesInitializersThatDoNotHoldTheirElements) {
  const auto reading = [](const Ints& extents, std::int64_t dtype, const std::string& fields) {
    OnnxTestModel model;
    model.input("x", {2}).tensor("w", extents, dtype, fields);
    model.node("Add", {"x", "w"}, {"y"});
    model.output("y");
    return errorOf(model);
  };
  const std::string eight(8, '\0');
  EXPECT_EQ(reading({3}, 1, OnnxTestModel::bytesField(9, eight)),
            "initializer \"w\": 8 bytes of data, f32 3 needs 12");
  EXPECT_EQ(reading({3}, 1, OnnxTestModel::bytesField(4, eight)),
            "initializer \"w\": 2 elements of data, 3 has 3");
  EXPECT_NE(reading({-1}, 1, ""), "read without an error");
  EXPECT_NE(reading({1 << 30, 1 << 30}, 1, ""), "read without an error");
  EXPECT_EQ(reading({2}, 8, ""), "initializer \"w\": ONNX element type 8 is not supported");
  EXPECT_EQ(reading({2}, 9, OnnxTestModel::bytesField(9, std::string("\x01\x02", 2))),
            "initializer \"w\": element 1 is no boolean");
}

TEST(OnnxReader, BoundsConstantsItComputes) {
  OnnxTestModel model;
  model.input("x", {1}).ints("shape", {1 << 20, 1 << 19});
  model.node("ConstantOfShape", {"shape"}, {"c"});
  model.node("Add", {"x", "c"}, {"y"});
  model.output("y");
  EXPECT_EQ(errorOf(model),
            "node \"c\" (ConstantOfShape): computing constants takes more than 2147483648 bytes");
}

/// A folder with a model whose initializer "w" of 4 floats has the given external fields.
class ExternalDataTest : public testing::Test {
 protected:
  void SetUp() override {
    auto created = TemporaryDirectory::create("narrows-external");
    ASSERT_TRUE(created.ok());
    directory_.emplace(std::move(*created));
    std::filesystem::create_directory(models());
    const std::vector<float> values = {0, 1, 2, 3, 4, 5, 6, 7};
    write(models() / "w.bin", values);
    write(directory_->path() / "outside.bin", values);
  }
  std::filesystem::path models() const { return directory_->path() / "models"; }
  static void write(const std::filesystem::path& path, const std::vector<float>& values) {
    const auto bytes = std::as_bytes(std::span(values));
    ASSERT_TRUE(writeFileAtomically(path, bytes).ok());
  }
  /// The error, or the value of w's first element.
  std::string read(const std::string& location, const std::string& offset,
                   const std::string& length) {
    OnnxTestModel model;
    std::string fields = OnnxTestModel::varintField(14, 1);
    if (!location.empty()) fields += OnnxTestModel::external("location", location);
    if (!offset.empty()) fields += OnnxTestModel::external("offset", offset);
    if (!length.empty()) fields += OnnxTestModel::external("length", length);
    model.input("x", {4}).tensor("w", {4}, 1, fields);
    model.node("Add", {"x", "w"}, {"y"});
    model.output("y");
    const auto path = models() / "model.onnx";
    EXPECT_TRUE(writeFileAtomically(path, model.bytes()).ok());
    auto graph = readOnnx(path);
    if (!graph.ok()) {
      const std::string place = path.string() + ": initializer \"w\": ";
      const std::string& message = graph.error().message;
      EXPECT_TRUE(message.starts_with(place)) << message;
      return message.substr(place.size());
    }
    return fmt::format("{}", graph->value(graph->findValue("w")).constant->as<float>()[0]);
  }

  std::optional<TemporaryDirectory> directory_;
};

TEST_F(ExternalDataTest, IsReadBelowTheModelsDirectoryOnly) {
  EXPECT_EQ(read("w.bin", "8", "16"), "2");
  EXPECT_EQ(read("./w.bin", "", ""), "0");
  EXPECT_EQ(read("../outside.bin", "", ""), "external location \"../outside.bin\" has \"..\"");
  const std::string absolute = (directory_->path() / "outside.bin").string();
  EXPECT_EQ(read(absolute, "", ""),
            fmt::format("external location \"{}\" is no relative path", absolute));
  std::filesystem::create_symlink("../outside.bin", models() / "link.bin");
  EXPECT_EQ(read("link.bin", "", ""),
            "external data \"link.bin\" lies outside the model's directory");
  std::filesystem::create_symlink("w.bin", models() / "near.bin");
  EXPECT_EQ(read("near.bin", "4", ""), "1");
  EXPECT_EQ(read("absent.bin", "", ""), "external data \"absent.bin\": No such file or directory");
  std::filesystem::create_directory(models() / "folder");
  EXPECT_EQ(read("folder", "", ""), "external data \"folder\" is not a regular file");
  EXPECT_EQ(read("", "", ""), "external data without a location");
}

TEST_F(ExternalDataTest, StaysInsideItsFile) {
  EXPECT_EQ(read("w.bin", "16", "16"), "4");
  EXPECT_EQ(read("w.bin", "17", "16"), "16 bytes at offset 17 of \"w.bin\", which has 32");
  EXPECT_EQ(read("w.bin", "18446744073709551615", ""),
            "16 bytes at offset 18446744073709551615 of \"w.bin\", which has 32");
  EXPECT_EQ(read("w.bin", "0", "12"), "external length is 12 bytes, f32 4 needs 16");
  EXPECT_EQ(read("w.bin", "-4", ""), "external offset is \"-4\", expected a count of bytes");
  EXPECT_EQ(read("w.bin", "4 ", ""), "external offset is \"4 \", expected a count of bytes");
}

TEST_F(ExternalDataTest, IsCopiedWhereItIsNotAligned) {
  std::ofstream file(models() / "odd.bin", std::ios::binary);
  const float values[] = {9, 8, 7, 6};
  file.write("x", 1).write(reinterpret_cast<const char*>(values), sizeof(values));
  file.close();
  EXPECT_EQ(read("odd.bin", "1", ""), "9");
}

TEST(OnnxReader, RefusesExternalDataOfAModelInMemory) {
  OnnxTestModel model;
  model.input("x", {1}).tensor(
      "w", {1}, 1,
      OnnxTestModel::varintField(14, 1) + OnnxTestModel::external("location", "w.bin"));
  model.node("Add", {"x", "w"}, {"y"});
  model.output("y");
  EXPECT_EQ(errorOf(model), "initializer \"w\": external data in \"w.bin\" of a model in memory");
}

}  // namespace
}  // namespace narrows
