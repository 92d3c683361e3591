#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "narrows/engine/engine.h"

/// What the tests of the executor's options have in common.
namespace narrows::executor {

/// What a new program makes of the inputs; nothing, and a failed test, when it cannot be made.
inline std::vector<Tensor> results(const Engine& engine, const Graph& graph,
                                   const EngineOptions& options, const std::vector<Tensor>& inputs,
                                   ProgramMemory* memory = nullptr) {
  auto program = engine.compile(graph, options);
  EXPECT_TRUE(program.ok()) << (program.ok() ? "" : program.error().message);
  if (!program.ok()) return {};
  if (memory != nullptr) *memory = (*program)->memory();
  auto outputs = runProgram(**program, std::vector<TensorView>(inputs.begin(), inputs.end()));
  EXPECT_TRUE(outputs.ok()) << (outputs.ok() ? "" : outputs.error().message);
  return outputs.ok() ? std::move(*outputs) : std::vector<Tensor>();
}

inline bool sameBits(const Tensor& a, const Tensor& b) {
  const auto p = a.view().bytes();
  const auto q = b.view().bytes();
  return std::equal(p.begin(), p.end(), q.begin(), q.end());
}

/// What a new program of the engine makes of the inputs on one thread and on two is the expected
/// output to the bit.
inline void expectSameBits(const Engine& engine, const Graph& graph, EngineOptions options,
                           const std::vector<Tensor>& inputs, const Tensor& expected) {
  for (const std::size_t threads : {1, 2}) {
    options.threads = threads;
    const auto actual = results(engine, graph, options, inputs);
    ASSERT_EQ(actual.size(), 1u);
    EXPECT_TRUE(sameBits(expected, actual[0])) << threads << " threads";
  }
}

/// Length of the difference over that of what is expected; 0 for tensors that are not f32.
inline double relativeError(const Tensor& expected, const Tensor& actual) {
  if (expected.dtype() != DType::f32) return 0;
  double error = 0;
  double energy = 0;
  for (std::size_t k = 0; k < expected.as<float>().size(); ++k) {
    const double e = expected.as<float>()[k];
    error += (actual.as<float>()[k] - e) * (actual.as<float>()[k] - e);
    energy += e * e;
  }
  return std::sqrt(error / std::max(energy, 1e-12));
}

/// Engines that are the executor over a backend.
inline std::vector<std::string_view> backends() {
  std::vector<std::string_view> names = engineNames();
  std::erase(names, "reference");
  return names;
}

/// relu -> conv 3x3 -> relu -> conv 1x1 with whole numbers: 1 at most in, 127 the largest weight of
/// each result, so that all scales are 1.
inline Graph wholeNumbers(std::int64_t channels) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, channels, 7, 9}});
  const ValueId first = *graph.add(Unary{UnaryKind::relu}, {x}, "first", "ones");
  Tensor weights(DType::f32, Shape{24, channels, 3, 3});
  for (std::int64_t o = 0; o < 24; ++o) {
    for (std::int64_t i = 0; i < channels * 9; ++i) {
      weights.mutableAs<float>()[static_cast<std::size_t>(o * channels * 9 + i)] =
          i == o % (channels * 9) ? 127.0F : static_cast<float>((i * 7 + o) % 3 - 1);
    }
  }
  const ValueId w = graph.addConstant("w", std::move(weights));
  Tensor shift(DType::f32, Shape{24});
  for (std::size_t i = 0; i < 24; ++i) shift.mutableAs<float>()[i] = static_cast<float>(i) - 12;
  const ValueId b = graph.addConstant("b", std::move(shift));
  Conv2d window;
  window.window.kernel = {3, 3};
  window.window.pads = {1, 1, 1, 1};
  const ValueId sums = *graph.add(window, {first, w, b}, "window", "sums");
  const ValueId positive = *graph.add(Clip{0, 255}, {sums}, "clip", "positive");
  Tensor mixing(DType::f32, Shape{5, 24, 1, 1});
  for (std::size_t i = 0; i < 5 * 24; ++i)
    mixing.mutableAs<float>()[i] = i % 24 == i / 24 ? -127.0F : static_cast<float>(i % 11);
  const ValueId v = graph.addConstant("v", std::move(mixing));
  const ValueId y = *graph.add(Conv2d{}, {positive, v}, "mix", "y");
  NARROWS_ASSERT(graph.setOutputs({y}).ok());
  return graph;
}

}  // namespace narrows::executor
