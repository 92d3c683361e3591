#include "narrows/engine/executor/packed_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace narrows::executor {
namespace {

/// Widths in vectors of the panels of `vectors` vectors in all, as even as can be.
std::vector<std::int64_t> panelWidths(std::int64_t vectors, std::int64_t most) {
  const std::int64_t count = (vectors + most - 1) / most;
  std::vector<std::int64_t> widths;
  for (std::int64_t i = 0; i < count; ++i)
    widths.push_back(vectors * (i + 1) / count - vectors * i / count);
  return widths;
}

std::int64_t depthOf(const ConvProblem& problem) {
  return problem.input.shape[1] / problem.groups * problem.window.kernel.h *
         problem.window.kernel.w;
}

/// Vectors of one group's results.
std::int64_t vectorsOf(const ConvProblem& problem, const KernelTable& table) {
  return (problem.output.shape[1] / problem.groups + table.lanes - 1) / table.lanes;
}

}  // namespace

std::size_t PackedWeights::floats(const ConvProblem& problem, const KernelTable& table) {
  return static_cast<std::size_t>(problem.groups * vectorsOf(problem, table) * table.lanes *
                                  (depthOf(problem) + 1));
}

PackedWeights::PackedWeights(const ConvProblem& problem, const KernelTable& table,
                             DepthOrder order) {
  const std::int64_t outputs = problem.output.shape[1] / problem.groups;
  const std::int64_t inputs = problem.input.shape[1] / problem.groups;
  const std::int64_t taps = problem.window.kernel.h * problem.window.kernel.w;
  const std::int64_t depth = depthOf(problem);
  const auto widths = panelWidths(vectorsOf(problem, table), table.vectors);
  const std::size_t size = floats(problem, table);
  bytes_ = size * sizeof(float);
  float* to = problem.room.data();
  if (problem.room.size() < size) {
    storage_ = Tensor(DType::f32, Shape{static_cast<std::int64_t>(size)});
    to = storage_.mutableAs<float>().data();
  }
  parts_per_group_ = widths.size();
  for (std::int64_t g = 0; g < problem.groups; ++g) {
    std::int64_t first = 0;
    for (std::int64_t vectors : widths) {
      const std::int64_t width = vectors * table.lanes;
      const std::int64_t channels = std::min(width, outputs - first);
      float* bias = to;
      float* weights = to + width;
      to += width * (depth + 1);
      // Room may hold what was packed before.
      std::fill_n(bias, channels < width ? width * (depth + 1) : width, 0.0F);
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t channel = g * outputs + first + c;
        if (!problem.bias.empty()) bias[c] = problem.bias[static_cast<std::size_t>(channel)];
      }
      PanelSource source;
      source.from = problem.weights.data() + (g * outputs + first) * depth;
      source.channels = channels;
      source.inputs = order == DepthOrder::tap_channel ? inputs : depth;
      source.taps = order == DepthOrder::tap_channel ? taps : 1;
      source.to = weights;
      source.width = width;
      table.pack_panel(source);
      parts_.push_back({{weights, bias, vectors, channels}, first});
      first += channels;
    }
  }
}

WeightStore::Found<PackedWeights> packWeights(const ConvProblem& problem, const KernelTable& table,
                                              DepthOrder order) {
  const auto make = [&] { return std::make_shared<const PackedWeights>(problem, table, order); };
  if (problem.store == nullptr) return {make(), false};
  const std::string form =
      fmt::format("panels {} {} {} {} {} {} {}", table.name, order == DepthOrder::tap_channel,
                  problem.groups, problem.input.shape[1], problem.output.shape[1],
                  problem.window.kernel.h, problem.window.kernel.w);
  const std::array constants{ByteSpan(std::as_bytes(problem.weights)),
                             ByteSpan(std::as_bytes(problem.bias))};
  return problem.store->find<PackedWeights>(constants, form, make);
}

}  // namespace narrows::executor
