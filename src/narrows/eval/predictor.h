#pragma once

#include <span>
#include <vector>

#include "narrows/eval/pictures.h"
#include "narrows/eval/piece_runner.h"
#include "narrows/vision/description.h"
#include "narrows/vision/head.h"

namespace narrows {

/// The last piece of a network and its head: from the piece's inputs to a prediction.
class Predictor {
 public:
  /// `graph` has the outputs of the whole network.
  static Result<Predictor> create(const Engine& engine, const Graph& graph,
                                  const ModelDescription& description, std::size_t threads);
  static Result<Predictor> create(const Engine& engine, const Graph& graph,
                                  const ModelDescription& description,
                                  const EngineOptions& options);

  Result<Prediction> predict(std::span<const TensorView> inputs, ImageSize picture);
  ProgramMemory memory() const { return runner_.memory(); }

 private:
  Predictor(PieceRunner runner, std::vector<std::size_t> positions,
            const ModelDescription& description)
      : runner_(std::move(runner)), positions_(std::move(positions)), description_(&description) {}

  PieceRunner runner_;
  std::vector<std::size_t> positions_;
  const ModelDescription* description_;
};

/// Low thresholds for detectors, so that precision-recall curves are whole.
HeadOptions scoringHeadOptions(const ModelDescription& description);

}  // namespace narrows
