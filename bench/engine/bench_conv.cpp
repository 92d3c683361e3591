// Times every convolution of some models in the backend's kernel and in the executor's own, in
// turn, on one thread: what the choice between them rests on.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>

#include "narrows/engine/executor/conv_kernels.h"
#include "narrows/engine/onednn/backend.h"
#include "narrows/formats/model_file.h"
#include "narrows/graph/passes.h"
#include "narrows/zoo/zoo.h"

namespace narrows::bench {
namespace {

using executor::ConvKernel;
using executor::ConvProblem;

constexpr int kRounds = 15;

Tensor randomTensor(const Shape& shape, std::mt19937_64& random) {
  Tensor tensor(DType::f32, shape);
  std::uniform_real_distribution<float> draw(-1, 1);
  for (float& value : tensor.mutableAs<float>()) value = draw(random);
  return tensor;
}

double milliseconds(ConvKernel& kernel, const Tensor& x, Tensor& y, Tensor& scratch,
                    executor::Team& team) {
  const auto before = std::chrono::steady_clock::now();
  const Status status = kernel.run(x.as<float>().data(), nullptr, y.mutableAs<float>().data(),
                                   scratch.mutableView().bytes(), team);
  NARROWS_ASSERT(status.ok());
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - before)
      .count();
}

Status compare(const executor::Backend& backend, const Graph& graph, const Node& node) {
  const auto& op = std::get<Conv2d>(node.op);
  std::mt19937_64 random(1);
  const Shape& in = graph.shape(node.inputs[0]);
  const Shape& out = graph.shape(node.outputs[0]);
  const Tensor x = randomTensor(in, random);
  const Tensor bias = randomTensor(Shape{out[1]}, random);
  Tensor y(DType::f32, out);
  ConvProblem problem;
  problem.window = op.window;
  problem.groups = op.groups;
  problem.input = executor::channelsLast(in, in[1]);
  problem.output = executor::channelsLast(out, out[1]);
  problem.weights = graph.value(node.inputs[1]).constant->as<float>();
  problem.bias = bias.as<float>();
  problem.activation = *executor::activationOf(Unary{UnaryKind::relu});
  NARROWS_TRY(theirs, backend.makeConv(problem));
  const auto own = executor::makeOwnConv(problem, *executor::kernelTables()[0]);
  executor::Team team(1);
  const auto bytes = static_cast<std::int64_t>(
      std::max({theirs->scratchBytes(), own->scratchBytes(), std::size_t{64}}));
  Tensor scratch(DType::u8, Shape{bytes});
  std::vector<double> own_ms;
  std::vector<double> their_ms;
  for (int round = 0; round < kRounds; ++round) {
    own_ms.push_back(milliseconds(*own, x, y, scratch, team));
    their_ms.push_back(milliseconds(*theirs, x, y, scratch, team));
  }
  // The fastest run: anything above it is somebody else's work.
  const double ours = *std::min_element(own_ms.begin(), own_ms.end());
  const double other = *std::min_element(their_ms.begin(), their_ms.end());
  const double work = static_cast<double>(out.elements() * (in[1] / op.groups) *
                                          op.window.kernel.h * op.window.kernel.w);
  fmt::print(
      "{:<16} {:<16} {}x{} /{} groups {:<4} own {:7.3f} ms {:6.1f} GMAC/s, {} {:7.3f} ms, ratio "
      "{:5.2f}\n",
      toString(in), toString(out), op.window.kernel.h, op.window.kernel.w, op.window.stride.h,
      op.groups, ours, work / ours / 1e6, backend.name(), other, ours / other);
  return {};
}

Result<Graph> readNetwork(const std::string& name) {
  if (!name.starts_with("zoo:")) return readModel(name);
  NARROWS_TRY(model, buildZooModel(name, 1));
  return std::move(model.graph);
}

Status run(std::span<char* const> models) {
  NARROWS_TRY(backend, onednn::makeBackend());
  std::map<std::string, bool> seen;
  for (const char* model : models) {
    NARROWS_TRY(read, readNetwork(model));
    NARROWS_TRY(graph, simplify(read));
    fmt::print("{}\n", model);
    for (const Node& node : graph.nodes()) {
      const auto* conv = std::get_if<Conv2d>(&node.op);
      if (conv == nullptr || !graph.value(node.inputs[1]).isConstant()) continue;
      const std::string key =
          fmt::format("{} {} {} {}", toString(graph.shape(node.inputs[0])),
                      toString(graph.shape(node.inputs[1])), conv->window.stride.h, conv->groups);
      if (!seen.emplace(key, true).second) continue;
      NARROWS_CHECK(compare(*backend, graph, node).within(node.name));
    }
  }
  return {};
}

}  // namespace
}  // namespace narrows::bench

int main(int count, char** values) {
  if (count < 2) {
    fmt::print(stderr, "bench_conv MODEL...\n");
    return 2;
  }
  const auto status = narrows::bench::run(std::span(values + 1, values + count));
  if (!status.ok()) {
    fmt::print(stderr, "bench_conv: {}\n", status.error().message);
    return 1;
  }
  return 0;
}
