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
  finder.lows_.assign(watched.size(), 0);
  finder.highs_.assign(watched.size(), 0);
  return finder;
}

Status RangeFinder::observe(std::span<const TensorView> inputs) {
  std::vector<MutableTensorView> views;
  for (Tensor& output : outputs_) views.push_back(output.mutableView());
  NARROWS_CHECK(program_->run(inputs, views));
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const auto values = outputs_[i].as<float>();
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    lows_[i] += static_cast<double>(*low);
    highs_[i] += static_cast<double>(*high);
  }
  ++runs_;
  return {};
}

ValueRanges RangeFinder::ranges() const {
  ValueRanges ranges;
  const double runs = static_cast<double>(std::max<std::size_t>(runs_, 1));
  for (std::size_t i = 0; i < names_.size() && runs_ > 0; ++i) {
    ranges[names_[i]] = {static_cast<float>(lows_[i] / runs), static_cast<float>(highs_[i] / runs)};
  }
  return ranges;
}

}  // namespace narrows
