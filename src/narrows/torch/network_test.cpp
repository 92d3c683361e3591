#include "narrows/torch/network.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "narrows/engine/engine.h"
#include "narrows/formats/model_file.h"
#include "narrows/graph/random_graph.h"
#include "narrows/torch/gradient_check.h"
#include "narrows/zoo/zoo.h"
#include "tests/support/figure.h"
#include "tests/support/shared_data.h"

namespace narrows::test {
namespace {

namespace fs = std::filesystem;

std::vector<TensorView> viewsOf(const std::vector<Tensor>& tensors) {
  return {tensors.begin(), tensors.end()};
}

Result<std::vector<Tensor>> runReference(const Graph& graph, std::span<const TensorView> inputs) {
  NARROWS_TRY(engine, makeEngine("reference"));
  NARROWS_TRY(program, engine->compile(graph, {}));
  return runProgram(*program, inputs);
}

/// Largest difference over the largest magnitude, of floating-point tensors; others must be equal.
double difference(const Tensor& actual, const Tensor& expected) {
  EXPECT_EQ(toString(actual.shape()), toString(expected.shape()));
  EXPECT_EQ(toString(actual.dtype()), toString(expected.dtype()));
  if (actual.type() != expected.type()) return 1;
  if (actual.dtype() != DType::f32) {
    return std::equal(actual.view().bytes().begin(), actual.view().bytes().end(),
                      expected.view().bytes().begin())
               ? 0
               : 1;
  }
  double worst = 0;
  double largest = 1;
  for (std::size_t i = 0; i < expected.as<float>().size(); ++i) {
    const auto e = static_cast<double>(expected.as<float>()[i]);
    const auto a = static_cast<double>(actual.as<float>()[i]);
    if (a == e || (std::isnan(a) && std::isnan(e))) continue;
    largest = std::max(largest, std::abs(e));
    worst = std::max(worst, std::abs(a - e));
  }
  return worst / largest;
}

/// Checks the gradients of <outputs, random weights> by every input and parameter, in double.
void expectGradients(const Graph& graph, const std::vector<Tensor>& inputs,
                     const TorchOptions& options, std::size_t probes = 12) {
  auto network = TorchNetwork::create(graph, options);
  ASSERT_TRUE(network.ok()) << network.error().message;
  auto outputs = network->run(viewsOf(inputs));
  ASSERT_TRUE(outputs.ok()) << outputs.error().message;
  std::vector<Tensor> weights;
  for (std::size_t i = 0; i < outputs->size(); ++i) {
    weights.push_back(uniformTensor((*outputs)[i].shape(), 77 + i));
  }
  auto gradients = network->differentiate(viewsOf(inputs), viewsOf(weights));
  ASSERT_TRUE(gradients.ok()) << gradients.error().message;
  const auto lossOf = [&](std::span<const TensorView> at) {
    auto results = network->run(at);
    EXPECT_TRUE(results.ok());
    double loss = 0;
    for (std::size_t k = 0; k < results->size(); ++k) {
      if ((*results)[k].dtype() != DType::f64) continue;
      for (std::size_t i = 0; i < weights[k].as<double>().size(); ++i) {
        loss += weights[k].as<double>()[i] * (*results)[k].as<double>()[i];
      }
    }
    return loss;
  };
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].dtype() != DType::f64) continue;
    SCOPED_TRACE(fmt::format("input {}", i));
    expectGradient(
        [&](const Tensor& moved) {
          std::vector<TensorView> at = viewsOf(inputs);
          at[i] = moved;
          return lossOf(at);
        },
        inputs[i], gradients->inputs[i], 1e-5, probes);
  }
  for (const NamedTensor& gradient : gradients->parameters) {
    SCOPED_TRACE("parameter " + gradient.name);
    const Tensor& constant = *graph.value(graph.findValue(gradient.name)).constant;
    Tensor point(DType::f64, constant.shape());
    std::copy(constant.as<float>().begin(), constant.as<float>().end(),
              point.mutableAs<double>().begin());
    expectGradient(
        [&](const Tensor& moved) {
          EXPECT_TRUE(network->setParameter(gradient.name, moved).ok());
          return lossOf(viewsOf(inputs));
        },
        point, gradient.tensor, 1e-5, probes);
    EXPECT_TRUE(network->setParameter(gradient.name, point).ok());
  }
}

/// One operator: its operands, of which those after the first `inputs` are constants.
struct OpCase {
  std::string label;
  Op op;
  std::vector<Shape> operands;
  std::size_t inputs = 1;
  double low = -1;
  double high = 1;
};

Window2d windowOf(Extent2d kernel, Extent2d stride, Extent2d dilation, Padding2d pads) {
  return {kernel, stride, dilation, pads};
}

Resize resizeOf(ResizeMode mode, Ints sizes, std::vector<double> scales) {
  Resize op;
  op.mode = mode;
  op.sizes = std::move(sizes);
  op.scales = std::move(scales);
  return op;
}

std::vector<OpCase> opCases() {
  const Shape map{1, 4, 5, 6};
  std::vector<OpCase> cases = {
      {"conv",
       Conv2d{windowOf({3, 2}, {2, 1}, {1, 2}, {1, 0, 2, 1}), 2},
       {map, Shape{6, 2, 3, 2}, Shape{6}}},
      {"conv depthwise",
       Conv2d{windowOf({3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}), 4},
       {map, Shape{4, 1, 3, 3}}},
      {"conv transposed",
       ConvTranspose2d{windowOf({3, 2}, {2, 3}, {1, 1}, {1, 0, 0, 1}), 2, {1, 2}},
       {map, Shape{4, 3, 3, 2}, Shape{6}}},
      {"max pool", MaxPool2d{windowOf({2, 3}, {2, 2}, {1, 1}, {0, 1, 1, 1}), true}, {map}},
      {"max pool dilated", MaxPool2d{windowOf({2, 2}, {1, 1}, {2, 2}, {0, 0, 0, 0})}, {map}},
      {"average pool",
       AveragePool2d{windowOf({3, 2}, {2, 2}, {1, 1}, {1, 0, 0, 1}), true, false},
       {map}},
      {"average pool with pads",
       AveragePool2d{windowOf({3, 2}, {2, 2}, {1, 1}, {1, 0, 0, 1}), true, true},
       {map}},
      {"global average", GlobalPool{}, {map}},
      {"global max", GlobalPool{GlobalPoolKind::max}, {map}},
      {"batch norm", BatchNorm{}, {map, Shape{4}, Shape{4}, Shape{4}, Shape{4}}, 1, 0.1, 2},
      {"local response", LocalResponseNorm{4, 0.7, 0.75, 1.5}, {map}},
      {"gemm", Gemm{true, true, 0.5, 2}, {Shape{4, 3}, Shape{5, 4}, Shape{5}}},
      {"matmul", MatMul{}, {Shape{2, 3, 4}, Shape{4, 5}}},
      {"leaky relu", LeakyRelu{0.1}, {map}},
      {"elu", Elu{1.2, 1.1}, {map}},
      {"clip", Clip{-0.5, 0.5}, {map}},
      {"hard sigmoid", HardSigmoid{}, {map}, 1, -4, 4},
      {"prelu", PRelu{}, {map, Shape{4, 1, 1}}},
      {"softmax", Softmax{1}, {map}},
      {"log softmax", Softmax{3, true}, {map}},
      {"concat", Concat{1}, {map, Shape{1, 2, 5, 6}}, 2},
      {"split", Split{1, {1, 3}}, {map}},
      {"slice", Slice{{0, 3, 1, 0}, {1, 2, 2, 3}, {1, -2, 2, 2}}, {map}},
      {"pad", Pad{PadMode::constant, {0, 1, 0, 2}, {0, 0, 1, -1}, 0.5}, {map}},
      {"pad reflect", Pad{PadMode::reflect, {0, 0, 2, 1}, {0, 0, 1, 3}, 0}, {map}},
      {"pad edge", Pad{PadMode::edge, {0, 0, 2, 1}, {0, 1, 0, 3}, 0}, {map}},
      {"resize nearest", resizeOf(ResizeMode::nearest, {1, 4, 10, 8}, {1, 1, 2, 8.0 / 6}), {map}},
      {"resize linear", resizeOf(ResizeMode::linear, {1, 4, 8, 9}, {1, 1, 1.6, 1.5}), {map}},
      {"resize cubic", resizeOf(ResizeMode::cubic, {1, 4, 3, 9}, {1, 1, 0.6, 1.5}), {map}},
      {"transpose", Transpose{{0, 2, 3, 1}}, {map}},
      {"reshape", Reshape{{1, 8, 15}}, {map}},
      {"expand", Expand{{1, 4, 5, 6}}, {Shape{1, 4, 1, 6}}},
      {"tile", Tile{{1, 2, 1, 3}}, {map}},
      {"depth to space", DepthToSpace{2}, {map}},
      {"depth to space crd", DepthToSpace{2, BlockOrder::column_row_depth}, {map}},
      {"space to depth", SpaceToDepth{2}, {Shape{1, 3, 4, 6}}},
      {"identity", Identity{}, {map}},
  };
  using U = UnaryKind;
  for (const U kind :
       {U::relu,     U::sigmoid,  U::tanh,  U::exp,  U::abs,        U::neg,  U::erf,
        U::softplus, U::softsign, U::mish,  U::silu, U::hard_swish, U::sin,  U::cos,
        U::tan,      U::atan,     U::sinh,  U::cosh, U::asinh,      U::gelu, U::gelu_tanh,
        U::floor,    U::ceil,     U::round, U::sign, U::asin,       U::acos, U::atanh}) {
    cases.push_back(
        {fmt::format("unary {}", static_cast<int>(kind)), Unary{kind}, {map}, 1, -0.95, 0.95});
  }
  for (const U kind : {U::log, U::sqrt, U::reciprocal, U::acosh}) {
    cases.push_back(
        {fmt::format("unary {}", static_cast<int>(kind)), Unary{kind}, {map}, 1, 1.1, 3});
  }
  using B = BinaryKind;
  for (const B kind : {B::add, B::sub, B::mul, B::div, B::pow, B::min, B::max}) {
    cases.push_back({fmt::format("binary {}", static_cast<int>(kind)),
                     Binary{kind},
                     {map, Shape{4, 1, 6}},
                     2,
                     0.5,
                     2});
  }
  using R = ReduceKind;
  for (const R kind : {R::mean, R::sum, R::max, R::min, R::prod, R::l1, R::l2, R::sum_square,
                       R::log_sum, R::log_sum_exp}) {
    cases.push_back({fmt::format("reduce {}", static_cast<int>(kind)),
                     Reduce{kind, {1, 3}, false},
                     {map},
                     1,
                     0.5,
                     2});
  }
  return cases;
}

struct CaseGraph {
  Graph graph;
  std::vector<Tensor> inputs;  // f64
};

CaseGraph makeCase(const OpCase& op_case) {
  CaseGraph made;
  std::vector<ValueId> ids;
  for (std::size_t i = 0; i < op_case.operands.size(); ++i) {
    Tensor values = uniformTensor(op_case.operands[i], 5 + i, op_case.low, op_case.high);
    Tensor single(DType::f32, op_case.operands[i]);
    std::copy(values.as<double>().begin(), values.as<double>().end(),
              single.mutableAs<float>().begin());
    // The point in double is the f32 one.
    std::copy(single.as<float>().begin(), single.as<float>().end(),
              values.mutableAs<double>().begin());
    if (i < op_case.inputs) {
      ids.push_back(made.graph.addInput(fmt::format("x{}", i), single.type()));
      made.inputs.push_back(std::move(values));
    } else {
      ids.push_back(made.graph.addConstant(fmt::format("c{}", i), std::move(single)));
    }
  }
  auto node = made.graph.addNode(op_case.op, ids);
  EXPECT_TRUE(node.ok()) << op_case.label << ": " << (node.ok() ? "" : node.error().message);
  if (!node.ok()) return made;
  EXPECT_TRUE(made.graph.setOutputs(made.graph.node(*node).outputs).ok());
  return made;
}

std::vector<Tensor> singles(const std::vector<Tensor>& doubles) {
  std::vector<Tensor> result;
  for (const Tensor& tensor : doubles) {
    Tensor single(DType::f32, tensor.shape());
    std::copy(tensor.as<double>().begin(), tensor.as<double>().end(),
              single.mutableAs<float>().begin());
    result.push_back(std::move(single));
  }
  return result;
}

TEST(TorchNetwork, EveryOperatorAgreesWithTheReferenceAndWithFiniteDifferences) {
  for (const OpCase& op_case : opCases()) {
    SCOPED_TRACE(op_case.label);
    const CaseGraph made = makeCase(op_case);
    const std::vector<Tensor> inputs = singles(made.inputs);
    auto expected = runReference(made.graph, viewsOf(inputs));
    ASSERT_TRUE(expected.ok()) << expected.error().message;
    auto network = TorchNetwork::create(made.graph);
    ASSERT_TRUE(network.ok()) << network.error().message;
    auto actual = network->run(viewsOf(inputs));
    ASSERT_TRUE(actual.ok()) << actual.error().message;
    ASSERT_EQ(actual->size(), expected->size());
    for (std::size_t i = 0; i < expected->size(); ++i) {
      EXPECT_LT(difference((*actual)[i], (*expected)[i]), 2e-6);
    }
    expectGradients(made.graph, made.inputs, {true, false, 0.1});
  }
}

TEST(TorchNetwork, NormalisationByTheBatchHasItsGradientAndMovesTheStatistics) {
  const CaseGraph made = makeCase({"norm",
                                   BatchNorm{},
                                   {Shape{1, 3, 4, 5}, Shape{3}, Shape{3}, Shape{3}, Shape{3}},
                                   1,
                                   0.2,
                                   2});
  std::vector<Tensor> inputs;
  inputs.push_back(uniformTensor(Shape{2, 3, 4, 5}, 9));
  expectGradients(made.graph, inputs, {true, true, 0.0});

  auto network = TorchNetwork::create(made.graph, {true, true, 0.25});
  ASSERT_TRUE(network.ok());
  ASSERT_TRUE(network->run(viewsOf(inputs)).ok());
  auto moved = network->graph();
  ASSERT_TRUE(moved.ok());
  const auto before = made.graph.value(made.graph.findValue("c3")).constant->as<float>();
  const auto after = moved->value(moved->findValue("c3")).constant->as<float>();
  for (std::size_t c = 0; c < 3; ++c) {
    double mean = 0;
    for (std::size_t n = 0; n < 2; ++n) {
      for (std::size_t i = 0; i < 20; ++i) {
        mean += inputs[0].as<double>()[(n * 3 + c) * 20 + i] / 40;
      }
    }
    EXPECT_NEAR(static_cast<double>(after[c]), 0.75 * static_cast<double>(before[c]) + 0.25 * mean,
                1e-6);
  }
}

TEST(TorchNetwork, RandomGraphsAgreeWithTheReferenceSampleBySample) {
  std::size_t batches = 0;
  for (std::uint32_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Graph graph = randomGraph(seed);
    auto network = TorchNetwork::create(graph);
    ASSERT_TRUE(network.ok()) << network.error().message;
    std::vector<std::vector<Tensor>> expected;
    std::vector<Tensor> stacked;
    for (std::uint32_t sample = 0; sample < 3; ++sample) {
      const std::vector<Tensor> inputs = randomInputs(graph, 100 * seed + sample);
      auto reference = runReference(graph, viewsOf(inputs));
      auto actual = network->run(viewsOf(inputs));
      ASSERT_TRUE(reference.ok()) << reference.error().message;
      ASSERT_TRUE(actual.ok()) << actual.error().message;
      for (std::size_t i = 0; i < reference->size(); ++i) {
        EXPECT_LT(difference((*actual)[i], (*reference)[i]), 1e-5);
      }
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        std::vector<std::int64_t> extents(inputs[i].shape().extents().begin(),
                                          inputs[i].shape().extents().end());
        extents[0] = 3;
        if (sample == 0) stacked.emplace_back(DType::f32, *Shape::create(extents));
        std::copy(inputs[i].as<float>().begin(), inputs[i].as<float>().end(),
                  stacked[i].mutableAs<float>().begin() +
                      static_cast<std::ptrdiff_t>(sample * inputs[i].as<float>().size()));
      }
      expected.push_back(std::move(*reference));
    }
    auto batch = network->run(viewsOf(stacked));
    if (!batch.ok()) {
      EXPECT_NE(batch.error().message.find("one sample at a time"), std::string::npos)
          << batch.error().message;
      continue;
    }
    ++batches;
    for (std::size_t i = 0; i < batch->size(); ++i) {
      const auto all = (*batch)[i].as<float>();
      for (std::size_t sample = 0; sample < 3; ++sample) {
        const auto one = expected[sample][i].as<float>();
        for (std::size_t k = 0; k < one.size(); ++k) {
          EXPECT_NEAR(all[sample * one.size() + k], one[k],
                      1e-4F * std::max(1.0F, std::abs(one[k])));
        }
      }
    }
  }
  EXPECT_GT(batches, 10u);
}

TEST(TorchNetwork, EveryModelOfTheSharedDataAgreesWithTheReference) {
  NARROWS_REQUIRE_SHARED();
  double worst = 0;
  for (const auto& entry : fs::directory_iterator(*sharedData() / "models")) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".onnx" && extension != ".cfg") continue;
    SCOPED_TRACE(entry.path().filename().string());
    auto graph = readModel(entry.path());
    ASSERT_TRUE(graph.ok()) << graph.error().message;
    const std::vector<Tensor> inputs = randomInputs(*graph, 3);
    auto expected = runReference(*graph, viewsOf(inputs));
    ASSERT_TRUE(expected.ok()) << expected.error().message;
    auto network = TorchNetwork::create(*graph);
    ASSERT_TRUE(network.ok()) << network.error().message;
    auto actual = network->run(viewsOf(inputs));
    ASSERT_TRUE(actual.ok()) << actual.error().message;
    for (std::size_t i = 0; i < expected->size(); ++i) {
      const double error = difference((*actual)[i], (*expected)[i]);
      EXPECT_LT(error, 1e-4);
      worst = std::max(worst, error);
    }
  }
  recordFigure("torch_vs_reference_relative_error_max", worst, "1");
}

TEST(TorchNetwork, WritesItsParametersBackIntoTheGraph) {
  const CaseGraph made = makeCase(opCases()[0]);
  auto network = TorchNetwork::create(made.graph);
  ASSERT_TRUE(network.ok());
  EXPECT_EQ(network->parameterNames(), (std::vector<std::string>{"c1", "c2"}));
  Tensor bias(DType::f32, Shape{6});
  bias.mutableAs<float>()[4] = 3;
  ASSERT_TRUE(network->setParameter("c2", bias).ok());
  EXPECT_FALSE(network->setParameter("c3", bias).ok());
  EXPECT_FALSE(network->setParameter("c1", bias).ok());
  auto graph = network->graph();
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  EXPECT_TRUE(verify(*graph).ok());
  EXPECT_EQ(graph->value(graph->findValue("c2")).constant->as<float>()[4], 3.0F);
  const std::vector<Tensor> inputs = singles(made.inputs);
  auto expected = runReference(*graph, viewsOf(inputs));
  auto actual = network->run(viewsOf(inputs));
  ASSERT_TRUE(expected.ok() && actual.ok());
  EXPECT_LT(difference((*actual)[0], (*expected)[0]), 1e-6);
}

TEST(TorchNetwork, ABatchThatANodeCannotTakeIsAnErrorThatNamesTheNode) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 6}});
  auto y = graph.add(Reshape{{2, 3}}, {x}, "fold");
  ASSERT_TRUE(y.ok());
  ASSERT_TRUE(graph.setOutputs({*y}).ok());
  auto network = TorchNetwork::create(graph);
  ASSERT_TRUE(network.ok());
  const Tensor inputs(DType::f32, Shape{2, 6});
  const std::vector<TensorView> views = {inputs};
  auto outputs = network->run(views);
  ASSERT_FALSE(outputs.ok());
  EXPECT_NE(outputs.error().message.find("node fold"), std::string::npos);
}

TEST(TorchDevice, NamesThatAreNoneAreErrors) {
  for (const char* name : {"", "gpu", "meta", "cuda:", "cuda:x", "cuda:-1", "cpu:7x"}) {
    EXPECT_FALSE(checkTorchDevice(name).ok()) << name;
  }
  EXPECT_TRUE(checkTorchDevice("cpu").ok());
}

TEST(TorchDevice, CudaAgreesWithTheProcessor) {
  const Status there = checkTorchDevice("cuda");
  if (!there.ok()) GTEST_SKIP() << there.error().message;
  const auto model = buildZooModel("zoo:tiny-yolov3@64,classes=2,width=0.25", 1);
  ASSERT_TRUE(model.ok());
  TorchOptions options;
  options.batch_norm_training = true;
  auto here = TorchNetwork::create(model->graph, options);
  options.device = "cuda";
  auto on_gpu = TorchNetwork::create(model->graph, options);
  ASSERT_TRUE(here.ok() && on_gpu.ok());
  const std::vector<Tensor> inputs = randomInputs(model->graph, 1);
  const auto outputs = here->run(viewsOf(inputs));
  ASSERT_TRUE(outputs.ok());
  const auto expected = here->differentiate(viewsOf(inputs), viewsOf(*outputs));
  const auto actual = on_gpu->differentiate(viewsOf(inputs), viewsOf(*outputs));
  ASSERT_TRUE(expected.ok() && actual.ok());
  for (std::size_t i = 0; i < expected->parameters.size(); ++i) {
    EXPECT_LE(difference(actual->parameters[i].tensor, expected->parameters[i].tensor), 1e-3)
        << expected->parameters[i].name;
  }
}

}  // namespace
}  // namespace narrows::test
