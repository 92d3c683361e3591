#include "narrows/formats/onnx_writer.h"

#include <gtest/gtest.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/implementation.h>

#include <cmath>

#include "narrows/base/file.h"
#include "narrows/engine/reference/reference_engine.h"
#include "narrows/formats/onnx_reader.h"
#include "narrows/graph/random_graph.h"

namespace narrows {
namespace {

std::string nameOf(const Graph& graph, ValueId id) {
  return id.valid() ? graph.value(id).name : std::string();
}

/// What differs between two graphs but for the order of their constants; empty when equal.
std::string difference(const Graph& a, const Graph& b) {
  const auto names = [](const Graph& graph, std::span<const ValueId> ids) {
    std::string list;
    for (ValueId id : ids) {
      list += fmt::format("{} {} {}, ", nameOf(graph, id), toString(graph.type(id).dtype),
                          toString(graph.shape(id)));
    }
    return list;
  };
  if (a.name != b.name) return "names of the graphs";
  if (names(a, a.inputs()) != names(b, b.inputs())) return "inputs";
  if (names(a, a.outputs()) != names(b, b.outputs())) return "outputs";
  if (a.nodeCount() != b.nodeCount()) return "counts of nodes";
  for (NodeId id : nodeIds(a)) {
    const Node& x = a.node(id);
    const Node& y = b.node(id);
    if (x.name != y.name || x.op != y.op) return fmt::format("node {} and {}", x.name, y.name);
    if (names(a, x.outputs) != names(b, y.outputs)) return fmt::format("outputs of {}", x.name);
    if (x.inputs.size() != y.inputs.size()) return fmt::format("count of inputs of {}", x.name);
    for (std::size_t i = 0; i < x.inputs.size(); ++i) {
      if (nameOf(a, x.inputs[i]) != nameOf(b, y.inputs[i])) {
        return fmt::format("input {} of {}", i, x.name);
      }
      if (!x.inputs[i].valid() || !a.value(x.inputs[i]).isConstant()) continue;
      const Tensor& left = *a.value(x.inputs[i]).constant;
      if (!b.value(y.inputs[i]).isConstant()) return "a constant";
      const Tensor& right = *b.value(y.inputs[i]).constant;
      if (left.type() != right.type() ||
          asText(left.view().bytes()) != asText(right.view().bytes())) {
        return fmt::format("constant {}", nameOf(a, x.inputs[i]));
      }
    }
  }
  return {};
}

/// Checks the bytes as ONNX's own library does, shapes included; empty when valid.
std::string onnxComplaint(const ByteVector& bytes) {
  onnx::ModelProto model;
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return "does not parse";
  try {
    onnx::checker::check_model(model);
    onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(),
                                       onnx::ShapeInferenceOptions{true, 1, false});
  } catch (const std::exception& complaint) {
    return complaint.what();
  }
  return {};
}

std::vector<Tensor> runOn(const Graph& graph, const std::vector<Tensor>& inputs) {
  auto program = makeReferenceEngine()->compile(graph, {});
  EXPECT_TRUE(program.ok()) << program.error().message;
  if (!program.ok()) return {};
  std::vector<TensorView> views(inputs.begin(), inputs.end());
  auto outputs = runProgram(**program, views);
  EXPECT_TRUE(outputs.ok()) << outputs.error().message;
  if (!outputs.ok()) return {};
  return std::move(*outputs);
}

void expectNear(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.type(), b.type());
  if (a.dtype() != DType::f32) {
    EXPECT_EQ(asText(a.view().bytes()), asText(b.view().bytes()));
    return;
  }
  for (std::size_t i = 0; i < a.as<float>().size(); ++i) {
    const float x = a.as<float>()[i];
    const float y = b.as<float>()[i];
    if (std::isnan(x) && std::isnan(y)) continue;
    ASSERT_NEAR(x, y, 1e-5 + 1e-5 * std::fabs(x)) << "element " << i;
  }
}

/// Reading what was written gives a graph with the same results, valid to ONNX's checker.
void expectSameResults(const Graph& graph, std::uint32_t seed) {
  auto bytes = serializeOnnx(graph);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message;
  EXPECT_EQ(onnxComplaint(*bytes), "");
  auto again = readOnnx(*bytes);
  ASSERT_TRUE(again.ok()) << again.error().message;
  const std::vector<Tensor> inputs = randomInputs(graph, seed);
  const std::vector<Tensor> wanted = runOn(graph, inputs);
  const std::vector<Tensor> got = runOn(*again, inputs);
  ASSERT_EQ(wanted.size(), got.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) expectNear(wanted[i], got[i]);
}

/// Whether opset 17 has the operator, so that it comes back as it was.
bool isPlain(const Op& op) {
  if (const auto* unary = std::get_if<Unary>(&op)) {
    return unary->kind != UnaryKind::mish && unary->kind != UnaryKind::silu &&
           unary->kind != UnaryKind::gelu && unary->kind != UnaryKind::gelu_tanh;
  }
  if (const auto* pool = std::get_if<AveragePool2d>(&op)) {
    return pool->window.dilation == Extent2d{1, 1} && !(pool->ceil && pool->count_pads);
  }
  return true;
}

bool isPlain(const Graph& graph) {
  for (const Node& node : graph.nodes()) {
    if (!isPlain(node.op)) return false;
  }
  return true;
}

TEST(OnnxWriter, RandomGraphsComeBackEqual) {
  std::size_t compared = 0;
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Graph graph = randomGraph(seed);
    auto bytes = serializeOnnx(graph);
    ASSERT_TRUE(bytes.ok()) << bytes.error().message;
    EXPECT_EQ(onnxComplaint(*bytes), "");
    auto again = readOnnx(*bytes);
    ASSERT_TRUE(again.ok()) << again.error().message;
    if (!isPlain(graph)) continue;
    ++compared;
    EXPECT_EQ(difference(graph, *again), "");
  }
  EXPECT_GT(compared, 20u);
}

TEST(OnnxWriter, RandomGraphsGiveTheSameResults) {
  for (std::uint32_t seed = 101; seed <= 120; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    expectSameResults(randomGraph(seed), seed);
  }
}

/// A graph of one operator on one f32 input of `shape`.
Graph graphOf(const Op& op, const Shape& shape, DType dtype = DType::f32) {
  Graph graph;
  graph.name = "one";
  const ValueId x = graph.addInput("x", {dtype, shape});
  auto node = graph.addNode(op, {x}, "op");
  EXPECT_TRUE(node.ok()) << node.error().message;
  if (!node.ok()) return graph;
  EXPECT_TRUE(graph.setOutputs(graph.node(*node).outputs).ok());
  return graph;
}

Window2d window(Extent2d kernel, Extent2d stride, Extent2d dilation, Padding2d pads) {
  return {kernel, stride, dilation, pads};
}

TEST(OnnxWriter, EveryOperatorOfOneInputComesBack) {
  const Shape map{1, 4, 5, 6};
  std::vector<Op> ops;
  for (int kind = 0; kind <= static_cast<int>(UnaryKind::is_inf); ++kind) {
    if (static_cast<UnaryKind>(kind) == UnaryKind::logical_not) continue;
    ops.emplace_back(Unary{static_cast<UnaryKind>(kind)});
  }
  for (int kind = 0; kind <= static_cast<int>(ReduceKind::log_sum_exp); ++kind) {
    for (bool keep : {false, true}) {
      ops.emplace_back(Reduce{static_cast<ReduceKind>(kind), {1, 3}, keep});
    }
  }
  for (bool ceil : {false, true}) {
    const Window2d pooled = window({3, 2}, {2, 2}, {1, 2}, {1, 0, 0, 1});
    ops.emplace_back(MaxPool2d{pooled, ceil});
    for (bool count_pads : {false, true}) {
      ops.emplace_back(AveragePool2d{pooled, ceil, count_pads});
      ops.emplace_back(
          AveragePool2d{window({3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}), ceil, count_pads});
    }
  }
  for (ResizeMode mode : {ResizeMode::nearest, ResizeMode::linear, ResizeMode::cubic}) {
    for (ResizeCoordinates coordinates :
         {ResizeCoordinates::half_pixel, ResizeCoordinates::pytorch_half_pixel,
          ResizeCoordinates::align_corners, ResizeCoordinates::asymmetric}) {
      ops.emplace_back(Resize{
          mode, coordinates, ResizeRounding::ceil, -0.5, false, {1, 4, 3, 9}, {1, 1, 0.7, 1.5}});
      ops.emplace_back(Resize{mode,
                              coordinates,
                              ResizeRounding::floor,
                              -0.75,
                              false,
                              {1, 4, 7, 12},
                              {1, 1, 7.0 / 5, 2}});
    }
  }
  const std::vector<Op> others = {
      GlobalPool{GlobalPoolKind::average},
      GlobalPool{GlobalPoolKind::max},
      LocalResponseNorm{3, 0.01, 0.75, 2},
      LeakyRelu{0.1},
      Elu{0.5, 1},
      Elu{1.6732, 1.0507},
      Clip{-0.25, 0.5},
      HardSigmoid{0.2, 0.5},
      Softmax{1, false},
      Softmax{3, true},
      Split{1, {1, 0, 3}},
      Slice{{0, 3, 1, 5}, {1, 2, 2, 3}, {1, -3, 2, -2}},
      Slice{{0, 0, 0, 0}, {1, 4, 0, 6}, {1, 1, 1, 1}},
      Pad{PadMode::constant, {0, 1, -1, 0}, {0, 0, 2, 1}, 0.5},
      Pad{PadMode::reflect, {0, 0, 2, 1}, {0, 0, 0, 3}, 0},
      Pad{PadMode::edge, {0, 0, 2, 1}, {0, 0, 0, 3}, 0},
      Transpose{{0, 2, 3, 1}},
      Reshape{{2, 60}},
      Reshape{{}},
      Expand{{2, 4, 5, 6}},
      Tile{{2, 1, 3, 1}},
      ArgReduce{true, 1, true, false},
      ArgReduce{false, 3, false, true},
      Cast{DType::i32},
      Cast{DType::boolean},
      Identity{},
      DepthToSpace{2, BlockOrder::depth_column_row},
      DepthToSpace{2, BlockOrder::column_row_depth},
  };
  ops.insert(ops.end(), others.begin(), others.end());
  for (const Op& op : ops) {
    SCOPED_TRACE(fmt::format("{} {}", opName(op), &op - ops.data()));
    const bool scalar = std::holds_alternative<Reshape>(op) && std::get<Reshape>(op).shape.empty();
    const Graph graph = graphOf(op, scalar ? Shape{1} : map);
    auto bytes = serializeOnnx(graph);
    ASSERT_TRUE(bytes.ok()) << bytes.error().message;
    EXPECT_EQ(onnxComplaint(*bytes), "");
    auto again = readOnnx(*bytes);
    ASSERT_TRUE(again.ok()) << again.error().message;
    if (isPlain(op)) {
      EXPECT_EQ(difference(graph, *again), "");
    } else {
      expectSameResults(graph, 5);
    }
  }
  const Graph blocks = graphOf(SpaceToDepth{2}, Shape{1, 3, 4, 6});
  EXPECT_EQ(difference(blocks, *readOnnx(*serializeOnnx(blocks))), "");
}

TEST(OnnxWriter, EveryOperatorOfTwoInputsComesBack) {
  for (int kind = 0; kind <= static_cast<int>(BinaryKind::logical_xor); ++kind) {
    SCOPED_TRACE(kind);
    const auto binary = static_cast<BinaryKind>(kind);
    const bool logic = binary >= BinaryKind::logical_and;
    const DType dtype = logic                       ? DType::boolean
                        : binary == BinaryKind::mod ? DType::i64
                                                    : DType::f32;
    Graph graph;
    graph.name = "two";
    const ValueId a = graph.addInput("a", {dtype, Shape{2, 3}});
    const ValueId b = graph.addInput("b", {dtype, Shape{3}});
    auto y = graph.add(Binary{binary}, {a, b}, "op", "y");
    ASSERT_TRUE(y.ok()) << y.error().message;
    ASSERT_TRUE(graph.setOutputs({*y}).ok());
    auto bytes = serializeOnnx(graph);
    ASSERT_TRUE(bytes.ok()) << bytes.error().message;
    EXPECT_EQ(onnxComplaint(*bytes), "");
    auto again = readOnnx(*bytes);
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(difference(graph, *again), "");
  }
}

TEST(OnnxWriter, OperatorsThatPickElementsComeBack) {
  Graph graph;
  graph.name = "picks";
  const ValueId x = graph.addInput("x", {DType::f32, Shape{2, 3}});
  const ValueId places = graph.addInput("places", {DType::i64, Shape{2, 2}});
  const ValueId updates = graph.addInput("updates", {DType::f32, Shape{2, 2}});
  const ValueId points = graph.addInput("points", {DType::f32, Shape{2}});
  std::vector<ValueId> outputs;
  const auto add = [&](Op op, std::vector<ValueId> inputs) {
    auto node = graph.addNode(std::move(op), std::move(inputs));
    ASSERT_TRUE(node.ok()) << node.error().message;
    for (ValueId output : graph.node(*node).outputs) outputs.push_back(output);
  };
  add(GatherElements{1}, {x, places});
  add(GatherNd{0}, {x, places});
  add(ScatterElements{1, ScatterReduction::add}, {x, places, updates});
  add(ScatterNd{ScatterReduction::mul}, {x, places, points});
  add(TopK{1, 2, false}, {x});
  ASSERT_TRUE(graph.setOutputs(outputs).ok());
  auto bytes = serializeOnnx(graph);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message;
  EXPECT_EQ(onnxComplaint(*bytes), "");
  auto again = readOnnx(*bytes);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(difference(graph, *again), "");
}

TEST(OnnxWriter, WritesTheFloatingRemainderOfAnotherSign) {
  Graph graph;
  const ValueId a = graph.addInput("a", {DType::f32, Shape{8}});
  const ValueId b = graph.addConstant("b", Tensor::from<float>(Shape{1}, {-0.3f}));
  auto y = graph.add(Binary{BinaryKind::mod}, {a, b}, "op", "y");
  ASSERT_TRUE(y.ok());
  ASSERT_TRUE(graph.setOutputs({*y}).ok());
  expectSameResults(graph, 3);
}

Graph convolution() {
  Graph graph;
  graph.name = "net";
  const ValueId x = graph.addInput("image", {DType::f32, Shape{1, 3, 8, 8}});
  const ValueId w = graph.addConstant("weights", randomTensor({DType::f32, {9, 3, 5, 5}}, 1));
  const ValueId b = graph.addConstant("bias", randomTensor({DType::f32, {9}}, 2));
  Conv2d conv;
  conv.window.kernel = {5, 5};
  auto y = graph.add(conv, {x, w, b}, "stem", "map");
  EXPECT_TRUE(y.ok());
  const ValueId w2 = graph.addConstant("more", randomTensor({DType::f32, {40, 9, 1, 1}}, 3));
  Conv2d point;
  auto z = graph.add(point, {*y, w2}, "point", "out");
  EXPECT_TRUE(z.ok());
  EXPECT_TRUE(graph.setOutputs({*z}).ok());
  return graph;
}

TEST(OnnxWriter, PutsLargeConstantsIntoAnAlignedFile) {
  auto directory = TemporaryDirectory::create("narrows-writer");
  ASSERT_TRUE(directory.ok());
  const auto model = directory->path() / "net.onnx";
  const auto weights = directory->path() / "net.weights";
  const Graph graph = convolution();
  ASSERT_TRUE(writeOnnx(graph, model, weights).ok());
  auto again = readOnnx(model);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(difference(graph, *again), "");

  onnx::ModelProto proto;
  auto bytes = readFile(model);
  ASSERT_TRUE(bytes.ok());
  ASSERT_TRUE(proto.ParseFromArray(bytes->data(), static_cast<int>(bytes->size())));
  EXPECT_EQ(proto.ir_version(), kWrittenIrVersion);
  EXPECT_EQ(proto.opset_import(0).version(), kWrittenOpset);
  std::size_t external = 0;
  for (const auto& tensor : proto.graph().initializer()) {
    if (tensor.data_location() != onnx::TensorProto::EXTERNAL) {
      EXPECT_LT(tensor.raw_data().size(), 1024u);
      continue;
    }
    ++external;
    for (const auto& entry : tensor.external_data()) {
      if (entry.key() == "location") {
        EXPECT_EQ(entry.value(), "net.weights");
      }
      if (entry.key() == "offset") {
        EXPECT_EQ(std::stoul(entry.value()) % 64, 0u);
      }
    }
  }
  EXPECT_EQ(external, 2u);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory->path()))
    ++files;
  EXPECT_EQ(files, 2u);
}

TEST(OnnxWriter, LeavesNothingBehindWhenItFails) {
  auto directory = TemporaryDirectory::create("narrows-writer");
  ASSERT_TRUE(directory.ok());
  const Graph graph = convolution();
  const auto elsewhere =
      writeOnnx(graph, directory->path() / "net.onnx", directory->path() / "sub" / "net.bin");
  EXPECT_FALSE(elsewhere.ok());
  EXPECT_FALSE(writeOnnx(graph, directory->path() / "absent" / "net.onnx").ok());
  EXPECT_FALSE(writeOnnx(Graph(), directory->path() / "net.onnx").ok());
  EXPECT_TRUE(std::filesystem::is_empty(directory->path()));
}

TEST(OnnxWriter, WritesConstantsAndInputsAsOutputs) {
  Graph graph;
  graph.name = "through";
  const ValueId x = graph.addInput("x", {DType::f32, Shape{2}});
  const ValueId c = graph.addConstant("c", Tensor::from<std::int64_t>(Shape{2}, {4, 5}));
  ASSERT_TRUE(graph.setOutputs({x, c}).ok());
  auto again = readOnnx(*serializeOnnx(graph));
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(difference(graph, *again), "");
  EXPECT_EQ(again->value(again->outputs()[1]).constant->as<std::int64_t>()[1], 5);
}

}  // namespace
}  // namespace narrows
