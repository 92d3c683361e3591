#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "narrows/engine/engine.h"

/// Cases of single operators that every engine must pass.
namespace narrows::test {

inline Tensor floats(Shape shape, std::initializer_list<float> values) {
  return Tensor::from<float>(shape, values);
}
inline Tensor integers(Shape shape, std::initializer_list<std::int64_t> values) {
  return Tensor::from<std::int64_t>(shape, values);
}
inline Tensor booleans(Shape shape, std::initializer_list<bool> values) {
  return Tensor::from<bool>(shape, values);
}
/// 1, 2, 3, ... in row-major order.
inline Tensor counting(Shape shape) {
  Tensor tensor(DType::f32, shape);
  float next = 1;
  for (float& element : tensor.mutableAs<float>()) element = next++;
  return tensor;
}

/// Inputs of an operator; nullptr where an optional one is absent.
using Operands = std::vector<const Tensor*>;

/// The operator's outputs, computed by a graph of one node. With `constants`, all operands but the
/// first are constants of the graph, as weights are; otherwise all are inputs.
inline Result<std::vector<Tensor>> evaluate(std::string_view engine_name, const Op& op,
                                            const Operands& operands, bool constants) {
  Graph graph;
  std::vector<ValueId> ids;
  std::vector<TensorView> inputs;
  for (const Tensor* operand : operands) {
    if (operand == nullptr) {
      ids.emplace_back();
    } else if (constants && !ids.empty()) {
      ids.push_back(graph.addConstant(fmt::format("c{}", ids.size()), operand->clone()));
    } else {
      ids.push_back(graph.addInput(fmt::format("x{}", ids.size()), operand->type()));
      inputs.push_back(*operand);
    }
  }
  NARROWS_TRY(node, graph.addNode(op, ids));
  NARROWS_CHECK(graph.setOutputs(graph.node(node).outputs));
  NARROWS_TRY(engine, makeEngine(engine_name));
  NARROWS_TRY(program, engine->compile(graph, EngineOptions()));
  return runProgram(*program, inputs);
}

template <class T>
void expectElements(const Tensor& actual, const Tensor& expected, double tolerance) {
  for (std::size_t i = 0; i < expected.as<T>().size(); ++i) {
    const auto a = static_cast<double>(actual.as<T>()[i]);
    const auto e = static_cast<double>(expected.as<T>()[i]);
    if (a == e || (std::isnan(a) && std::isnan(e))) continue;  // infinities too
    EXPECT_NEAR(a, e, tolerance * std::max(1.0, std::abs(e))) << "element " << i;
  }
}

/// Types equal; floats within `tolerance`, relative above 1; everything else equal.
inline void expectTensor(const Tensor& actual, const Tensor& expected, double tolerance = 1e-6) {
  ASSERT_EQ(toString(actual.dtype()), toString(expected.dtype()));
  ASSERT_EQ(toString(actual.shape()), toString(expected.shape()));
  switch (expected.dtype()) {
    case DType::f32:
      return expectElements<float>(actual, expected, tolerance);
    case DType::f64:
      return expectElements<double>(actual, expected, tolerance);
    case DType::i8:
      return expectElements<std::int8_t>(actual, expected, 0);
    case DType::u8:
      return expectElements<std::uint8_t>(actual, expected, 0);
    case DType::i32:
      return expectElements<std::int32_t>(actual, expected, 0);
    case DType::u32:
      return expectElements<std::uint32_t>(actual, expected, 0);
    case DType::i64:
      return expectElements<std::int64_t>(actual, expected, 0);
    case DType::u64:
      return expectElements<std::uint64_t>(actual, expected, 0);
    case DType::boolean:
      return expectElements<bool>(actual, expected, 0);
    default:
      EXPECT_TRUE(std::equal(actual.view().bytes().begin(), actual.view().bytes().end(),
                             expected.view().bytes().begin()));
  }
}

/// One operator on every engine of the build.
class OpTest : public testing::TestWithParam<std::string_view> {
 protected:
  void expect(const Op& op, const Operands& operands, const Tensor& expected,
              double tolerance = 1e-6) {
    for (const bool constants : {false, true}) {
      SCOPED_TRACE(
          fmt::format("{} with operands as {}", opName(op), constants ? "constants" : "inputs"));
      auto outputs = evaluate(GetParam(), op, operands, constants);
      ASSERT_TRUE(outputs.ok()) << outputs.error().message;
      ASSERT_EQ(outputs->size(), 1u);
      expectTensor((*outputs)[0], expected, tolerance);
    }
  }

  void expectError(const Op& op, const Operands& operands, std::string_view part) {
    auto outputs = evaluate(GetParam(), op, operands, false);
    ASSERT_FALSE(outputs.ok());
    EXPECT_NE(outputs.error().message.find(part), std::string::npos) << outputs.error().message;
  }
};

inline std::string engineTestName(const testing::TestParamInfo<std::string_view>& info) {
  return std::string(info.param);
}

}  // namespace narrows::test

/// Runs the cases of `Suite`, derived from OpTest, on every engine.
#define NARROWS_FOR_EVERY_ENGINE(Suite)                                                 \
  INSTANTIATE_TEST_SUITE_P(Engines, Suite, testing::ValuesIn(::narrows::engineNames()), \
                           ::narrows::test::engineTestName)
