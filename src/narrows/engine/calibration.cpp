#include "narrows/engine/calibration.h"

#include <algorithm>

#include "narrows/graph/extract.h"
#include "narrows/graph/passes.h"

namespace narrows {

Result<RangeFinder> RangeFinder::create(const Engine& engine, const Graph& graph,
                                        std::size_t threads) {
  NARROWS_TRY(simple, simplify(graph));
  RangeFinder finder;
  for (ValueId input : simple.inputs()) {
    const bool numbers =
        simple.type(input).dtype == DType::f32 && simple.type(input).elements() > 0;
    finder.inputs_.push_back(numbers ? simple.value(input).name : std::string());
  }
  finder.seen_inputs_.resize(finder.inputs_.size());
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
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (!inputs_[i].empty()) seen_inputs_[i].add(inputs[i].as<float>());
  }
  for (std::size_t i = 0; i < outputs_.size(); ++i) seen_[i].add(outputs_[i].as<float>());
  ++runs_;
  return {};
}

void RangeFinder::Seen::add(std::span<const float> values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  lows += static_cast<double>(*low);
  highs += static_cast<double>(*high);
  lowest = std::min(lowest, static_cast<double>(*low));
  highest = std::max(highest, static_cast<double>(*high));
  double sum = 0;
  for (float value : values) sum += static_cast<double>(value) * static_cast<double>(value);
  squares += sum / static_cast<double>(values.size());
}

ValueRanges RangeFinder::ranges() const {
  // Steps of 8 bits whose noise, a twelfth of their square, is more than this below the numbers.
  constexpr double kLeastSignalToNoise = 3162;  // 35 dB
  constexpr double kSteps = 255;
  ValueRanges ranges;
  const double runs = static_cast<double>(std::max<std::size_t>(runs_, 1));
  const auto add = [&](const std::string& name, const Seen& seen, double low, double high) {
    const double step = (std::max(high, 0.0) - std::min(low, 0.0)) / kSteps;
    if (seen.squares / runs < kLeastSignalToNoise * step * step / 12) return;
    ranges[name] = {static_cast<float>(low), static_cast<float>(high)};
  };
  if (runs_ == 0) return ranges;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const Seen& seen = seen_inputs_[i];
    if (!inputs_[i].empty()) add(inputs_[i], seen, seen.lowest, seen.highest);
  }
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const Seen& seen = seen_[i];
    add(names_[i], seen, (seen.lows / runs + seen.lowest) / 2,
        (seen.highs / runs + seen.highest) / 2);
  }
  return ranges;
}

}  // namespace narrows
