#include "narrows/eval/engine_check.h"

#include <chrono>

#include "narrows/engine/calibration.h"
#include "narrows/eval/pictures.h"
#include "narrows/eval/predictor.h"

namespace narrows {
namespace {

using Clock = std::chrono::steady_clock;

Result<ValueRanges> findRanges(const Engine& engine, const Graph& graph,
                               const ModelDescription& description, const DataSet& calibration,
                               std::size_t threads) {
  NARROWS_TRY(finder, RangeFinder::create(engine, graph, threads));
  PictureSource pictures(calibration.items, description.preprocessing);
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    NARROWS_TRY(picture, pictures.get(i));
    const Tensor input = normalizeImage(picture.image, description.preprocessing);
    const TensorView view = input.view();
    NARROWS_CHECK(finder.observe({&view, 1}));
  }
  return finder.ranges();
}

struct Predictions {
  std::vector<Prediction> all;
  Seconds time{};
  ProgramMemory memory;
};

Result<Predictions> predictAll(const Engine& engine, const Graph& graph,
                               const ModelDescription& description, PictureSource& pictures,
                               const EngineOptions& options,
                               const std::function<void()>& progress) {
  NARROWS_TRY(predictor, Predictor::create(engine, graph, description, options));
  Predictions predictions;
  predictions.memory = predictor.memory();
  double seconds = 0;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    NARROWS_TRY(picture, pictures.get(i));
    const Tensor input = normalizeImage(picture.image, description.preprocessing);
    const TensorView view = input.view();
    const auto start = Clock::now();
    NARROWS_TRY(prediction, predictor.predict({&view, 1}, picture.original));
    seconds += std::chrono::duration<double>(Clock::now() - start).count();
    predictions.all.push_back(std::move(prediction));
    if (progress) progress();
  }
  predictions.time = Seconds(seconds / static_cast<double>(pictures.size()));
  return predictions;
}

}  // namespace

Result<EngineCheck> checkEngine(const Engine& engine, const Graph& graph,
                                const ModelDescription& description, const DataSet& data,
                                const DataSet& calibration, const EngineCheckOptions& options,
                                const std::function<void()>& progress) {
  if (graph.inputs().size() != 1)
    return makeError("the network has {} inputs, expected one picture", graph.inputs().size());
  if (data.items.empty()) return makeError("the data set has no pictures");
  EngineOptions plain;
  plain.threads = options.threads;
  EngineOptions changed = plain;
  changed.kept_weights = options.kept_weights;
  changed.bf16 = options.precision == Precision::bf16;
  if (options.precision == Precision::int8) {
    NARROWS_TRY(ranges, findRanges(engine, graph, description, calibration, options.threads));
    changed.int8_ranges = std::make_shared<const ValueRanges>(std::move(ranges));
  }
  // What the engine cannot do it says before all pictures are run.
  NARROWS_CHECK(engine.compile(graph, changed));
  PictureSource pictures(data.items, description.preprocessing);
  NARROWS_TRY(first, predictAll(engine, graph, description, pictures, plain, progress));
  NARROWS_TRY(second, predictAll(engine, graph, description, pictures, changed, progress));
  NARROWS_TRY(scorer, Scorer::create(description, data, std::move(first.all)));
  EngineCheck check;
  check.metric = scorer.metric();
  check.against_truth = scorer.againstTruth();
  check.pictures = data.items.size();
  check.plain = {scorer.uncut(), first.time, first.memory};
  check.changed = {scorer.score(second.all), second.time, second.memory};
  return check;
}

}  // namespace narrows
