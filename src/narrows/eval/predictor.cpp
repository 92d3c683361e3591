#include "narrows/eval/predictor.h"

namespace narrows {

HeadOptions scoringHeadOptions(const ModelDescription& description) {
  HeadOptions options;
  if (description.head.kind != HeadKind::classification)
    options.score_threshold = kMapScoreThreshold;
  return options;
}

Result<Predictor> Predictor::create(const Engine& engine, const Graph& graph,
                                    const ModelDescription& description, std::size_t threads) {
  EngineOptions options;
  options.threads = threads;
  return create(engine, graph, description, options);
}

Result<Predictor> Predictor::create(const Engine& engine, const Graph& graph,
                                    const ModelDescription& description,
                                    const EngineOptions& options) {
  NARROWS_TRY(positions, headOutputs(graph, description.head.outputs));
  NARROWS_TRY(runner, PieceRunner::create(engine, graph, options));
  return Predictor(std::move(runner), std::move(positions), description);
}

Result<Prediction> Predictor::predict(std::span<const TensorView> inputs, ImageSize picture) {
  NARROWS_TRY(outputs, runner_.run(inputs));
  std::vector<TensorView> ordered;
  ordered.reserve(positions_.size());
  for (std::size_t position : positions_) ordered.push_back(outputs[position]);
  return decodeHead(*description_, ordered, picture, scoringHeadOptions(*description_));
}

}  // namespace narrows
