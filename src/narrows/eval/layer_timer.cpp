#include "narrows/eval/layer_timer.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "narrows/base/median.h"
#include "narrows/engine/calibration.h"
#include "narrows/engine/part_clock.h"
#include "narrows/eval/rested_times.h"

namespace narrows {
namespace {

/// Half the distance between first and last decile, as a share of the median; 0 where that is 0.
double spreadOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto last = static_cast<double>(values.size() - 1);
  const auto quantile = [&](double share) {
    return values[static_cast<std::size_t>(std::lround(share * last))];
  };
  constexpr double kFirst = 0.1;
  const double middle = median(values);
  return middle > 0 ? (quantile(1 - kFirst) - quantile(kFirst)) / (2 * middle) : 0;
}

}  // namespace

std::vector<Tensor> drawInputs(const Graph& graph, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> uniform(0, 1);
  std::vector<Tensor> inputs;
  for (ValueId input : graph.inputs()) {
    Tensor& tensor = inputs.emplace_back(graph.type(input));
    if (tensor.dtype() != DType::f32) continue;
    for (float& value : tensor.mutableAs<float>()) value = uniform(random);
  }
  return inputs;
}

Result<LayerTimer> LayerTimer::create(const Engine& engine, const Graph& graph,
                                      std::vector<Tensor> inputs,
                                      const LayerTimerOptions& options) {
  LayerTimer timer;
  timer.options_ = options;
  timer.inputs_ = std::move(inputs);
  timer.sources_.assign(timer.inputs_.begin(), timer.inputs_.end());
  EngineOptions how;
  how.threads = options.threads;
  how.bf16 = options.precision == Precision::bf16;
  if (options.precision == Precision::int8) {
    NARROWS_TRY(finder, RangeFinder::create(engine, graph, options.threads));
    NARROWS_CHECK(finder.observe(timer.sources_));
    how.int8_ranges = std::make_shared<const ValueRanges>(finder.ranges());
  }
  NARROWS_TRY(program, engine.compile(graph, how));
  timer.program_ = std::move(program);
  for (const TensorType& type : timer.program_->outputTypes()) timer.outputs_.emplace_back(type);
  for (Tensor& output : timer.outputs_) timer.targets_.push_back(output.mutableView());
  for (const ProgramPart& part : timer.program_->parts()) timer.nodes_.push_back(part.nodes);
  timer.now_.resize(timer.nodes_.size());
  timer.parts_.resize(timer.nodes_.size());
  return timer;
}

Status LayerTimer::runWhole(std::vector<double>& seconds) {
  const Seconds start = runMoment(options_.threads);
  NARROWS_CHECK(program_->run(sources_, targets_));
  seconds.push_back((runMoment(options_.threads) - start).value());
  return {};
}

Status LayerTimer::runParts() {
  std::fill(now_.begin(), now_.end(), Seconds());
  NARROWS_CHECK(program_->runTimed(sources_, targets_, now_));
  for (std::size_t i = 0; i < now_.size(); ++i) parts_[i].push_back(now_[i].value());
  return {};
}

Status LayerTimer::run() {
  restFor(options_.rest);
  NARROWS_CHECK(runWhole(whole_));
  NARROWS_CHECK(runWhole(at_once_));
  restFor(options_.rest);
  return runParts();
}

LayerTimes LayerTimer::times() const {
  NARROWS_ASSERT(!whole_.empty());
  LayerTimes times;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    times.parts.push_back({nodes_[i], Seconds(median(parts_[i]))});
  times.whole = Seconds(median(whole_));
  times.at_once = Seconds(median(at_once_));
  times.spread = spreadOf(whole_);
  return times;
}

}  // namespace narrows
