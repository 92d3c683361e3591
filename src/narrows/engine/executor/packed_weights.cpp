#include "narrows/engine/executor/packed_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace narrows::executor {
namespace {

constexpr std::int64_t kBlock = 64;  // numbers of one result that are packed at once

/// Widths in vectors of the panels of `vectors` vectors in all, as even as can be.
std::vector<std::int64_t> panelWidths(std::int64_t vectors, std::int64_t most) {
  const std::int64_t count = (vectors + most - 1) / most;
  std::vector<std::int64_t> widths;
  for (std::int64_t i = 0; i < count; ++i)
    widths.push_back(vectors * (i + 1) / count - vectors * i / count);
  return widths;
}

}  // namespace

PackedWeights::PackedWeights(const ConvProblem& problem, const KernelTable& table,
                             DepthOrder order) {
  const std::int64_t outputs = problem.output.shape[1] / problem.groups;
  const std::int64_t inputs = problem.input.shape[1] / problem.groups;
  const std::int64_t taps = problem.window.kernel.h * problem.window.kernel.w;
  const std::int64_t depth = inputs * taps;
  const auto widths = panelWidths((outputs + table.lanes - 1) / table.lanes, table.vectors);
  std::int64_t width_of_group = 0;
  for (std::int64_t width : widths) width_of_group += width * table.lanes;
  storage_ = Tensor(DType::f32, Shape{problem.groups * width_of_group * (depth + 1)});
  float* to = storage_.mutableAs<float>().data();
  parts_per_group_ = widths.size();
  for (std::int64_t g = 0; g < problem.groups; ++g) {
    std::int64_t first = 0;
    for (std::int64_t vectors : widths) {
      const std::int64_t width = vectors * table.lanes;
      const std::int64_t channels = std::min(width, outputs - first);
      float* bias = to;
      float* weights = to + width;
      to += width * (depth + 1);
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t channel = g * outputs + first + c;
        if (!problem.bias.empty()) bias[c] = problem.bias[static_cast<std::size_t>(channel)];
      }
      // In blocks, so that what is written stays near until all of a line is there.
      const std::int64_t block = std::max<std::int64_t>(kBlock / taps, 1);
      for (std::int64_t from_input = 0; from_input < inputs; from_input += block) {
        const std::int64_t end = std::min(inputs, from_input + block);
        for (std::int64_t c = 0; c < channels; ++c) {
          const float* from = problem.weights.data() + (g * outputs + first + c) * depth;
          for (std::int64_t i = from_input; i < end; ++i) {
            for (std::int64_t t = 0; t < taps; ++t) {
              const std::int64_t k =
                  order == DepthOrder::tap_channel ? t * inputs + i : i * taps + t;
              weights[k * width + c] = from[i * taps + t];
            }
          }
        }
      }
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
