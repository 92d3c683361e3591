#include "narrows/engine/calibration.h"

#include <algorithm>

#include "narrows/graph/extract.h"
#include "narrows/graph/passes.h"

namespace narrows {

Result<RangeFinder> RangeFinder::create(const Engine& engine, const Graph& graph,
                                        std::size_t threads) {
  NARROWS_TRY(simple, simplify(graph));
  RangeFinder finder;
  std::vector<ValueId> watched;
  for (const Node& node : simple.nodes()) {
    for (ValueId output : node.outputs) {
      const TensorType& type = simple.type(output);
      if (type.dtype != DType::f32 || type.elements() == 0) continue;
      if (simple.consumers(output).empty() && !simple.isOutput(output)) continue;
      watched.push_back(output);
      finder.names_.push_back(simple.value(output).name);
      finder.outputs_.emplace_back(type);
    }
  }
  const std::vector<ValueId> inputs(simple.inputs().begin(), simple.inputs().end());
  NARROWS_TRY(piece, extractPiece(simple, inputs, watched, simple.name));
  EngineOptions options;
  options.threads = threads;
  NARROWS_TRY(program, engine.compile(piece, options));
  finder.program_ = std::move(program);
  finder.seen_.resize(watched.size());
  return finder;
}

Status RangeFinder::observe(std::span<const TensorView> inputs) {
  std::vector<MutableTensorView> views;
  for (Tensor& output : outputs_) views.push_back(output.mutableView());
  NARROWS_CHECK(program_->run(inputs, views));
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const auto values = outputs_[i].as<float>();
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    Seen& seen = seen_[i];
    seen.lows += static_cast<double>(*low);
    seen.highs += static_cast<double>(*high);
    seen.lowest = std::min(seen.lowest, static_cast<double>(*low));
    seen.highest = std::max(seen.highest, static_cast<double>(*high));
    double squares = 0;
    for (float value : values) squares += static_cast<double>(value) * static_cast<double>(value);
    seen.squares += squares / static_cast<double>(values.size());
  }
  ++runs_;
  return {};
}

ValueRanges RangeFinder::ranges() const {
  // Steps of 8 bits whose noise, a twelfth of their square, is more than this below the numbers.
  constexpr double kLeastSignalToNoise = 3162;  // 35 dB
  constexpr double kSteps = 255;
  ValueRanges ranges;
  const double runs = static_cast<double>(std::max<std::size_t>(runs_, 1));
  for (std::size_t i = 0; i < names_.size() && runs_ > 0; ++i) {
    const Seen& seen = seen_[i];
    const double low = (seen.lows / runs + seen.lowest) / 2;
    const double high = (seen.highs / runs + seen.highest) / 2;
    const double step = (std::max(high, 0.0) - std::min(low, 0.0)) / kSteps;
    if (seen.squares / runs < kLeastSignalToNoise * step * step / 12) continue;
    ranges[names_[i]] = {static_cast<float>(low), static_cast<float>(high)};
  }
  return ranges;
}

}  // namespace narrows
