#include "narrows/eval/layer_timer.h"

#include <algorithm>
#include <limits>
#include <random>

#include "narrows/engine/calibration.h"
#include "narrows/engine/part_clock.h"

namespace narrows {
namespace {

constexpr Seconds kNever(std::numeric_limits<double>::infinity());

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
  timer.threads_ = options.threads;
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
  for (const ProgramPart& part : timer.program_->parts())
    timer.least_.parts.push_back({part.nodes, kNever});
  timer.now_.resize(timer.least_.parts.size());
  timer.least_.whole = kNever;
  return timer;
}

Status LayerTimer::runWhole() {
  const Seconds start = runMoment(threads_);
  NARROWS_CHECK(program_->run(sources_, targets_));
  least_.whole = std::min(least_.whole, runMoment(threads_) - start);
  ++least_.runs;
  return {};
}

Status LayerTimer::runParts() {
  std::fill(now_.begin(), now_.end(), Seconds());
  NARROWS_CHECK(program_->runTimed(sources_, targets_, now_));
  for (std::size_t i = 0; i < now_.size(); ++i)
    least_.parts[i].time = std::min(least_.parts[i].time, now_[i]);
  return {};
}

Status LayerTimer::run() {
  NARROWS_CHECK(runWhole());
  return runParts();
}

const LayerTimes& LayerTimer::times() const {
  NARROWS_ASSERT(least_.runs > 0);
  return least_;
}

}  // namespace narrows
