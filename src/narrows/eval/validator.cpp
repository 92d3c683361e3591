#include "narrows/eval/validator.h"

#include "narrows/eval/parallel.h"
#include "narrows/eval/predictor.h"
#include "narrows/pipeline/local_pipeline.h"

namespace narrows {

Result<Validator> Validator::create(std::string_view engine, const DataSet& data,
                                    const ModelDescription& description, const Graph& uncut,
                                    std::size_t threads) {
  Validator validator;
  validator.data_ = &data;
  validator.description_ = description;
  NARROWS_TRY(made, makeEngine(engine));
  validator.engine_ = std::move(made);
  validator.source_ = std::make_unique<PictureSource>(data.items, description.preprocessing);
  validator.pool_ = std::make_unique<ThreadPool>(threads);
  NARROWS_TRY(predictions, validator.predict(uncut));
  NARROWS_TRY(scorer, Scorer::create(description, data, predictions));
  validator.uncut_ = std::move(predictions);
  validator.scorer_ = std::move(scorer);
  return validator;
}

Result<std::vector<Prediction>> Validator::predict(const Graph& graph) {
  return predict(graph, [](std::size_t, Image image) -> Result<Image> { return image; });
}

Result<PiecePredictions> Validator::predictRecoded(const Graph& graph, PictureFormat format,
                                                   int quality) {
  std::vector<std::size_t> bytes(data_->items.size());
  NARROWS_TRY(predictions,
              predict(graph, [&](std::size_t index, const Image& image) -> Result<Image> {
                NARROWS_TRY(recoded, recode(image, format, quality));
                bytes[index] = recoded.bytes;
                return std::move(recoded.image);
              }));
  FrameStatistics frames;
  for (const std::size_t size : bytes) frames.add(size, Seconds(), Seconds());
  return PiecePredictions{std::move(predictions), frames};
}

Result<std::vector<Prediction>> Validator::predict(
    const Graph& graph, const std::function<Result<Image>(std::size_t, Image)>& see) {
  std::vector<Predictor> predictors;
  for (std::size_t i = 0; i < pool_->size(); ++i) {
    NARROWS_TRY(predictor, Predictor::create(*engine_, graph, description_, 1));
    predictors.push_back(std::move(predictor));
  }
  std::vector<Prediction> predictions(data_->items.size());
  NARROWS_CHECK(forEachFallible(
      *pool_, data_->items.size(), [&](std::size_t index, std::size_t worker) -> Status {
        NARROWS_TRY(picture, source_->get(index));
        NARROWS_TRY(seen, see(index, std::move(picture.image)));
        const Tensor input = normalizeImage(seen, description_.preprocessing);
        const TensorView view = input.view();
        NARROWS_TRY(prediction, predictors[worker].predict({&view, 1}, picture.original));
        predictions[index] = std::move(prediction);
        return {};
      }));
  return predictions;
}

Result<Accuracy> Validator::score(const Graph& graph) {
  NARROWS_TRY(predictions, predict(graph));
  return scorer_->score(predictions);
}

Result<PieceFigures> Validator::score(const Graph& graph, const Cut& cut,
                                      std::span<const FeatureInterface> interfaces) {
  NARROWS_TRY(pieces, cutPieces(graph, cut));
  return score(pieces, interfaces);
}

Result<PieceFigures> Validator::score(const CutPieces& pieces,
                                      std::span<const FeatureInterface> interfaces) {
  NARROWS_TRY(answers, predict(pieces, interfaces));
  return PieceFigures{scorer_->score(answers.predictions), answers.frames.meanBytes(),
                      answers.frames.worst_bytes};
}

Result<PiecePredictions> Validator::predict(const CutPieces& pieces,
                                            std::span<const FeatureInterface> interfaces) {
  struct Worker {
    PieceRunner node;
    Predictor server;
    FrameMeter meter;
  };
  std::vector<Worker> workers;
  for (std::size_t i = 0; i < pool_->size(); ++i) {
    NARROWS_TRY(node, PieceRunner::create(*engine_, pieces.node, 1));
    NARROWS_TRY(server, Predictor::create(*engine_, pieces.server, description_, 1));
    NARROWS_TRY(meter, FrameMeter::create(interfaces));
    workers.push_back({std::move(node), std::move(server), std::move(meter)});
  }
  std::vector<Prediction> predictions(data_->items.size());
  NARROWS_CHECK(forEachFallible(
      *pool_, data_->items.size(), [&](std::size_t index, std::size_t worker) -> Status {
        NARROWS_TRY(picture, source_->get(index));
        const Tensor input = normalizeImage(picture.image, description_.preprocessing);
        const TensorView view = input.view();
        Worker& own = workers[worker];
        NARROWS_TRY(maps, own.node.run({&view, 1}));
        NARROWS_CHECK(own.meter.measure(maps, static_cast<std::uint32_t>(index)));
        NARROWS_TRY(prediction, own.server.predict(own.meter.decoded(), picture.original));
        predictions[index] = std::move(prediction);
        return {};
      }));
  FrameStatistics frames;
  for (const Worker& worker : workers) frames.add(worker.meter.statistics());
  return PiecePredictions{std::move(predictions), frames};
}

Result<PiecePredictions> Validator::predict(std::shared_ptr<const Bundle> bundle) {
  for (const InterfaceParams& params : bundle->plan.interfaces) {
    if (std::holds_alternative<ImageInterface>(params)) {
      return makeError("expected interfaces of feature frames");
    }
  }
  PipelineOptions options;
  options.engine = engine_->name();
  options.head = scoringHeadOptions(bundle->description);
  std::vector<LocalPipeline> pipelines;
  for (std::size_t i = 0; i < pool_->size(); ++i) {
    NARROWS_TRY(pipeline, LocalPipeline::create(bundle, options));
    pipelines.push_back(std::move(pipeline));
  }
  std::vector<Prediction> predictions(data_->items.size());
  std::vector<std::size_t> bytes(data_->items.size());
  NARROWS_CHECK(forEachFallible(
      *pool_, data_->items.size(), [&](std::size_t index, std::size_t worker) -> Status {
        NARROWS_TRY(picture, source_->get(index));
        const Tensor input = normalizeImage(picture.image, bundle->description.preprocessing);
        const TensorView view = input.view();
        LocalPipeline& own = pipelines[worker];
        NARROWS_CHECK(own.run({&view, 1}, picture.original));
        predictions[index] = own.prediction();
        for (const std::size_t frame : own.frameBytes()) bytes[index] += frame;
        return {};
      }));
  FrameStatistics frames;
  for (const std::size_t size : bytes) frames.add(size, Seconds(), Seconds());
  return PiecePredictions{std::move(predictions), frames};
}

}  // namespace narrows
