#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "narrows/base/thread_pool.h"
#include "narrows/bundle/bundle.h"
#include "narrows/data/dataset.h"
#include "narrows/engine/engine.h"
#include "narrows/eval/accuracy.h"
#include "narrows/eval/frame_meter.h"
#include "narrows/eval/pictures.h"
#include "narrows/eval/piece_runner.h"
#include "narrows/eval/recode.h"
#include "narrows/graph/cuts.h"
#include "narrows/vision/description.h"

namespace narrows {

/// What a network or its pieces reach on a data set. Measured on the inference engine; bytes are
/// those of real frames, headers included.
struct PieceFigures {
  Accuracy accuracy;
  double mean_bytes = 0;
  std::size_t worst_bytes = 0;
};

struct PiecePredictions {
  std::vector<Prediction> predictions;
  FrameStatistics frames;
};

/// Scores networks on one data set with the inference engine. Sets without truth are scored by
/// agreement with the network given first.
class Validator {
 public:
  /// Data outlives the validator.
  static Result<Validator> create(std::string_view engine, const DataSet& data,
                                  const ModelDescription& description, const Graph& uncut,
                                  std::size_t threads);

  Metric metric() const { return scorer_->metric(); }
  bool againstTruth() const { return scorer_->againstTruth(); }
  std::size_t pictures() const { return data_->items.size(); }
  const Engine& engine() const { return *engine_; }
  const ModelDescription& description() const { return description_; }
  /// Of the network that was given.
  const Accuracy& uncut() const { return scorer_->uncut(); }
  /// What that network answers, one prediction a picture.
  const std::vector<Prediction>& uncutPredictions() const { return uncut_; }

  Result<Accuracy> score(const Graph& graph);
  /// The pieces of the cut with these interfaces; each map is coded, decoded and given to the
  /// server's piece.
  Result<PieceFigures> score(const Graph& graph, const Cut& cut,
                             std::span<const FeatureInterface> interfaces);
  Result<PieceFigures> score(const CutPieces& pieces, std::span<const FeatureInterface> interfaces);

  /// What the pieces answer, one prediction a picture, and their frames.
  Result<PiecePredictions> predict(const CutPieces& pieces,
                                   std::span<const FeatureInterface> interfaces);
  /// The pieces of any plan, on all its devices, with what its interfaces make of the regions that
  /// they send each other. Frames of one picture count as one. Fails on a plan that sends the
  /// picture itself.
  Result<PiecePredictions> predict(std::shared_ptr<const Bundle> bundle);
  Result<std::vector<Prediction>> predict(const Graph& graph);
  /// Of pictures that were coded at the network's size and decoded before the network saw them.
  Result<PiecePredictions> predictRecoded(const Graph& graph, PictureFormat format, int quality);
  const Scorer& scorer() const { return *scorer_; }

 private:
  Validator() = default;
  /// Predictions of the whole network for what `see` makes of each picture at the network's size.
  Result<std::vector<Prediction>> predict(
      const Graph& graph, const std::function<Result<Image>(std::size_t, Image)>& see);

  const DataSet* data_ = nullptr;
  ModelDescription description_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<PictureSource> source_;
  std::unique_ptr<ThreadPool> pool_;
  std::vector<Prediction> uncut_;
  std::optional<Scorer> scorer_;
};

}  // namespace narrows
