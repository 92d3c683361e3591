#include "narrows/graph/text.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "narrows/graph/random_graph.h"
#include "narrows/tensor/absent.h"

namespace narrows {
namespace {

constexpr TextOptions kAll{std::int64_t{1} << 40};

std::string problemOf(std::string_view text) {
  auto graph = parseGraph(text);
  return graph.ok() ? "" : graph.error().message;
}

Graph someGraph() {
  Graph graph;
  graph.name = "tiny \"net\"";
  const ValueId x = graph.addInput("x\n\x01", {DType::f32, Shape{1, 2, 4, 4}});
  const ValueId w = graph.addConstant("w", Tensor::from<float>(Shape{1, 2, 1, 1}, {0.1F, -3}));
  auto y = graph.add(Conv2d{}, {x, w}, "conv", "y");
  NARROWS_ASSERT(y.ok() && graph.setOutputs({*y}).ok());
  return graph;
}

TEST(GraphText, LooksAsDocumented) {
  EXPECT_EQ(
      formatGraph(someGraph()),
      "graph \"tiny \\\"net\\\"\"\n"
      "input \"x\\n\\x01\" f32 1x2x4x4\n"
      "const \"w\" f32 1x2x1x1 = [0.1, -3]\n"
      "node \"conv\" conv2d(kernel=(1, 1), stride=(1, 1), dilation=(1, 1), pads=(0, 0, 0, 0), "
      "groups=1) (\"x\\n\\x01\", \"w\") -> \"y\" f32 1x1x4x4\n"
      "output \"y\"\n");
}

TEST(GraphText, ReadsBackWhatItWrote) {
  for (std::uint32_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Graph graph = randomGraph(seed, {20, 1 + seed % 2, 10, true});
    auto read = parseGraph(formatGraph(graph, kAll));
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(firstDifference(graph, *read), "");
    EXPECT_EQ(formatGraph(*read, kAll), formatGraph(graph, kAll));
  }
}

TEST(GraphText, AbsentElementsStayAbsent) {
  Graph graph = someGraph();
  graph.addConstant("v", withoutElements({DType::f32, Shape{2, 3}}));
  const std::string text = formatGraph(graph);
  EXPECT_NE(text.find("const \"v\" f32 2x3 absent\n"), std::string::npos) << text;
  auto read = parseGraph(text);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(firstDifference(graph, *read), "");
  EXPECT_EQ(formatGraph(*read), text);
  Graph other = someGraph();
  other.addConstant("v", Tensor(DType::f32, Shape{2, 3}));
  EXPECT_EQ(firstDifference(graph, other), "constant \"v\"");
}

/// Every operator once, with attributes that differ from the defaults.
Graph everyOperator() {
  Graph graph;
  graph.name = "all";
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 4, 6, 6}});
  const ValueId m = graph.addInput("m", {DType::f32, Shape{4, 6}});
  const ValueId c = graph.addInput("c", {DType::boolean, Shape{6}});
  const auto floats = [&](Shape shape) {
    return graph.addConstant("c", randomTensor({DType::f32, shape}, 1));
  };
  const auto indices = graph.addConstant("i", Tensor::from<std::int64_t>(Shape{2}, {0, -1}));
  std::vector<ValueId> outputs;
  const auto add = [&](Op op, std::vector<ValueId> inputs) {
    auto node = graph.addNode(std::move(op), std::move(inputs));
    NARROWS_ASSERT(node.ok());
    for (ValueId output : graph.node(*node).outputs) outputs.push_back(output);
  };
  const Window2d window{{2, 3}, {1, 2}, {2, 1}, {1, 0, 0, 1}};
  add(Conv2d{window, 2}, {x, floats({2, 2, 2, 3}), floats({2})});
  add(ConvTranspose2d{{{2, 2}, {2, 2}, {1, 1}, {0, 1, 0, 0}}, 2, {1, 0}},
      {x, floats({4, 1, 2, 2})});
  add(MaxPool2d{window, true}, {x});
  add(AveragePool2d{window, true, true}, {x});
  add(GlobalPool{GlobalPoolKind::max}, {x});
  add(BatchNorm{0.125}, {x, floats({4}), floats({4}), floats({4}), floats({4})});
  add(LocalResponseNorm{3, 0.1, 0.5, 2}, {x});
  add(Gemm{true, true, 0.5, 0.25}, {m, floats({5, 4})});
  add(MatMul{}, {m, floats({6, 2})});
  add(Unary{UnaryKind::hard_swish}, {x});
  add(LeakyRelu{0.1}, {x});
  add(Elu{0.5, 1.5}, {x});
  add(Clip{-std::numeric_limits<double>::infinity(), 1.0 / 3}, {x});
  add(HardSigmoid{0.1, 0.2}, {x});
  add(PRelu{}, {x, floats({4, 1, 1})});
  add(Binary{BinaryKind::greater_equal}, {m, m});
  add(Where{}, {c, m, m});
  add(Softmax{3, true}, {x});
  add(Concat{2}, {x, x});
  add(Split{1, {1, 3}}, {x});
  add(Slice{{0, 1, 5, 0}, {1, 2, 3, 6}, {1, 1, -2, 1}}, {x});
  add(Gather{1}, {m, indices});
  add(Pad{PadMode::reflect, {0, 0, 1, 0}, {0, 0, 0, 2}, -0.5}, {x});
  add(Resize{ResizeMode::cubic,
             ResizeCoordinates::align_corners,
             ResizeRounding::ceil,
             -0.5,
             true,
             {1, 4, 12, 9},
             {1, 1, 2, 1.5}},
      {x});
  add(Transpose{{1, 0}}, {m});
  add(Reshape{{8, 3}}, {m});
  add(Expand{{2, 4, 6}}, {m});
  add(Tile{{2, 1}}, {m});
  add(Reduce{ReduceKind::log_sum_exp, {1, 2}, false}, {x});
  add(ArgReduce{false, 1, false, true}, {m});
  add(Cast{DType::i32}, {m});
  add(Identity{}, {m});
  add(DepthToSpace{2, BlockOrder::column_row_depth}, {x});
  add(SpaceToDepth{3}, {x});
  const auto picks = graph.addConstant("i", Tensor::from<std::int64_t>(Shape{1, 2}, {0, -1}));
  add(GatherElements{1}, {m, picks});
  add(GatherNd{1}, {x, picks});
  add(ScatterElements{1, ScatterReduction::mul}, {m, picks, floats({1, 2})});
  add(ScatterNd{ScatterReduction::max}, {m, picks, floats({1})});
  add(TopK{1, 2, false}, {m});
  const ValueId boxes = graph.addInput("boxes", {DType::f32, Shape{1, 6, 4}});
  const ValueId scores = graph.addInput("scores", {DType::f32, Shape{1, 2, 6}});
  add(NonMaxSuppression{true, 3, 0.5, 0.25}, {boxes, scores});
  NARROWS_ASSERT(graph.setOutputs(std::move(outputs)).ok());
  return graph;
}

TEST(GraphText, KeepsEveryAttributeOfEveryOperator) {
  const Graph graph = everyOperator();
  EXPECT_EQ(graph.nodeCount(), std::variant_size_v<Op>);
  auto read = parseGraph(formatGraph(graph, kAll));
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(firstDifference(graph, *read), "");
}

TEST(GraphText, KeepsElementsOfEveryType) {
  Graph graph;
  const auto add = [&](Tensor tensor) { graph.addConstant("c", std::move(tensor)); };
  add(Tensor::from<float>(Shape{4}, {0.1F, -INFINITY, std::numeric_limits<float>::denorm_min(),
                                     std::numeric_limits<float>::max()}));
  add(Tensor::from<double>(Shape{2}, {0.1, -5e-324}));
  add(Tensor::from<std::int8_t>(Shape{2}, {-128, 127}));
  add(Tensor::from<std::uint8_t>(Shape{2}, {0, 255}));
  add(Tensor::from<std::int16_t>(Shape{2}, {-32768, 32767}));
  add(Tensor::from<std::uint16_t>(Shape{2}, {0, 65535}));
  add(Tensor::from<std::int32_t>(Shape{1}, {std::numeric_limits<std::int32_t>::min()}));
  add(Tensor::from<std::uint32_t>(Shape{1}, {std::numeric_limits<std::uint32_t>::max()}));
  add(Tensor::from<std::int64_t>(Shape{1}, {std::numeric_limits<std::int64_t>::min()}));
  add(Tensor::from<std::uint64_t>(Shape{1}, {std::numeric_limits<std::uint64_t>::max()}));
  add(Tensor::from<bool>(Shape{2}, {true, false}));
  Tensor half(DType::f16, Shape{2});
  half.mutableView().bytes()[1] = std::byte{0x3c};
  add(std::move(half));
  add(Tensor(DType::f32, Shape{0}));
  add(Tensor::scalar<float>(2));
  ASSERT_TRUE(graph.setOutputs({ValueId(0)}).ok());
  auto read = parseGraph(formatGraph(graph));
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(firstDifference(graph, *read), "");
}

TEST(GraphText, FindsLargeConstantsByTheirHash) {
  const Graph graph = someGraph();
  const std::string text = formatGraph(graph, {0});
  EXPECT_NE(text.find("hash " + contentHash(*graph.value(graph.findValue("w")).constant)),
            std::string::npos);
  EXPECT_EQ(problemOf(text), "line 3, column 28: the elements of \"w\" are not in the text");
  ParseOptions options;
  options.constants = [&](std::string_view name, const TensorType&, std::string_view) {
    return graph.value(graph.findValue(name)).constant;
  };
  auto read = parseGraph(text, options);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(firstDifference(graph, *read), "");
  options.constants = [](std::string_view, const TensorType& type, std::string_view) {
    return std::make_shared<const Tensor>(type);
  };
  EXPECT_EQ(parseGraph(text, options).error().message,
            "line 3, column 28: the tensor given for \"w\" is another one");
}

TEST(GraphText, ErrorsNameLineColumnAndText) {
  const std::string head = "graph \"g\"\ninput \"x\" f32 1x4\n";
  const std::string relu = "node \"r\" unary(kind=relu) (\"x\") -> \"y\" f32 1x4\n";
  const std::string tail = "output \"y\"\n";
  ASSERT_EQ(problemOf(head + relu + tail), "");
  EXPECT_EQ(problemOf(""), "line 1, column 1: expected \"graph\", found the end");
  EXPECT_EQ(problemOf("graph \"g\"\ninput \"x\" f33 1x4"),
            "line 2, column 11: expected a type, found \"f33\"");
  EXPECT_EQ(problemOf("graph \"g\"\ninput \"x\" f32 1y4"),
            "line 2, column 15: expected a shape, found \"1y4\"");
  EXPECT_EQ(problemOf(head + head),
            "line 3, column 1: expected \"input\", \"const\", \"node\" or "
            "\"output\", found \"graph\"");
  EXPECT_EQ(problemOf(head + "input \"x\" f32 1"),
            "line 3, column 7: a value is already named \"x\"");
  EXPECT_EQ(problemOf(head + "output \"y\""), "line 3, column 8: there is no value \"y\" yet");
  EXPECT_EQ(problemOf(head + "output \"x\" output \"x\""),
            "line 3, column 19: value \"x\" is an output twice");
  EXPECT_EQ(problemOf(head), "line 3, column 1: expected an output, found the end");
  EXPECT_EQ(problemOf(head + "node \"r\" unari(kind=relu) (\"x\")"),
            "line 3, column 10: there is no operator \"unari\"");
  EXPECT_EQ(problemOf(head + "node \"r\" global_pool(kind=mean) (\"x\")"),
            "line 3, column 27: expected one of average, max, found \"mean\"");
  EXPECT_EQ(problemOf(head + "node \"r\" unary(kind=relu) (\"x\") -> \"y\" f32 1x5"),
            "line 3, column 1: \"y\" is f32 1x4, the text says f32 1x5");
  EXPECT_EQ(problemOf(head + "node \"r\" leaky_relu(alpha=a) (\"x\")"),
            "line 3, column 27: expected a number, found \"a\"");
  EXPECT_EQ(problemOf(head + "const \"c\" f32 3 = [1, 2]"),
            "line 3, column 19: 2 elements, 3 has 3");
  EXPECT_EQ(problemOf(head + "const \"c\" i8 1 = [200]"), "line 3, column 18: a number beyond i8");
  EXPECT_EQ(problemOf(head + "input \"a\\q\" f32 1"),
            "line 3, column 9: expected one of \\\" \\\\ \\n \\t \\xHH");
  EXPECT_EQ(problemOf(head + "input \"a"), "line 3, column 7: the string does not end on its line");
  EXPECT_EQ(problemOf(head + "\x7f"), "line 3, column 1: unexpected byte 0x7f");
}

TEST(GraphText, AskingForMuchMemoryNeedsMuchText) {
  const std::string huge = "graph \"g\"\nconst \"c\" f32 1048576x1048576 = [1]\noutput \"c\"\n";
  EXPECT_EQ(problemOf(huge), "line 2, column 33: 1 elements, 1048576x1048576 has 1099511627776");
}

TEST(GraphText, CommentsAndLayoutDoNotMatter) {
  const std::string text =
      "# a net\ngraph \"g\" # named\n\n input\t\"x\" f32\n 1x4\noutput\"x\"\r\n";
  EXPECT_EQ(problemOf(text), "");
}

TEST(GraphText, EveryPrefixAndDamagedTextIsAnErrorOrAGraph) {
  const std::string text = formatGraph(everyOperator(), kAll);
  for (std::size_t size = 0; size + 20 < text.size(); size += 13) {
    const std::string problem = problemOf(text.substr(0, size));
    // A text cut between two outputs is whole.
    if (problem.empty()) {
      EXPECT_GT(size, text.find("\noutput "));
    }
  }
  std::mt19937 random(5);
  for (int round = 0; round < 1500; ++round) {
    std::string damaged = text;
    const int edits = 1 + static_cast<int>(random() % 3);
    for (int edit = 0; edit < edits; ++edit) {
      damaged[random() % damaged.size()] = "019-.,()[]\"aex \\\x01\xff#"[random() % 20];
    }
    auto graph = parseGraph(damaged);
    if (graph.ok()) {
      EXPECT_TRUE(verify(*graph).ok()) << "seed 5, round " << round;
    }
  }
}

TEST(FirstDifference, NamesWhatDiffers) {
  const Graph graph = someGraph();
  EXPECT_EQ(firstDifference(graph, someGraph()), "");
  Graph other = someGraph();
  other.name = "x";
  EXPECT_EQ(firstDifference(graph, other), "names \"tiny \"net\"\" and \"x\"");
  other = someGraph();
  ASSERT_TRUE(other.renameValue(other.findValue("w"), "v").ok());
  EXPECT_EQ(firstDifference(graph, other), "inputs of \"conv\"");
}

}  // namespace
}  // namespace narrows
