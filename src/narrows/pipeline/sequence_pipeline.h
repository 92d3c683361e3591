#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/units.h"
#include "narrows/bundle/bundle_pieces.h"
#include "narrows/engine/engine.h"
#include "narrows/pipeline/picture.h"
#include "narrows/pipeline/weight_stream.h"
#include "narrows/plan/sequence.h"
#include "narrows/vision/detection.h"
#include "narrows/vision/head.h"

namespace narrows {

/// The engine of this build that takes the least memory itself: "xnnpack" where it is there, whose
/// code is a fortieth of oneDNN's.
std::string_view leanEngineName();

struct SequenceOptions {
  /// Name of the engine; empty for `leanEngineName`.
  std::string engine;
  std::size_t threads = 1;
  HeadOptions head;
  /// Bytes for weights that have been read and not yet been packed.
  std::size_t window = std::size_t{8} << 20;
  /// Keep no weights: every layer's come from the file when it runs and leave with it.
  bool stream = true;
  /// Compare weights with their SHA-256 too, which reads them once more.
  bool verify_weights = false;
};

/// A plan of one device run with little memory: one piece's program at a time, tensors as
/// `Sequence` keeps them, weights streamed from the bundle's files. One thread at a time.
class SequencePipeline {
 public:
  static Result<SequencePipeline> open(const std::filesystem::path& path,
                                       const SequenceOptions& options);

  Status run(Picture& picture);
  /// From the model's inputs; they are moved from. Boxes are relative to a picture of `size`, or to
  /// the network's input without one.
  Status run(std::vector<Tensor> inputs, std::optional<ImageSize> size = std::nullopt);

  /// Of the last run.
  const Prediction& prediction() const { return prediction_; }
  /// In the plan's order.
  std::span<const Tensor> outputs() const { return outputs_; }

  const BundlePieces& bundle() const { return bundle_; }
  /// The most bytes of tensors and the running program in the last run, and the piece.
  std::size_t peak() const { return peak_; }
  std::size_t peakPiece() const { return peak_piece_; }

 private:
  SequencePipeline(BundlePieces bundle, Sequence sequence, std::unique_ptr<Engine> engine,
                   const SequenceOptions& options)
      : bundle_(std::move(bundle)),
        sequence_(std::move(sequence)),
        engine_(std::move(engine)),
        options_(options),
        room_(options.stream ? options.window : 0) {}

  using Tensors = std::vector<std::optional<Tensor>>;
  Status runPiece(std::size_t index);
  Status fill(std::size_t reader);
  TensorView source(std::size_t index) const;
  Status deliver(std::size_t index);
  Tensor& bufferOf(std::size_t reader, std::size_t port, const TensorType& type);
  void forget(std::size_t piece);
  Status finish(std::optional<ImageSize> size);

  BundlePieces bundle_;
  Sequence sequence_;
  std::unique_ptr<Engine> engine_;
  SequenceOptions options_;
  StreamRoom room_;
  std::vector<Tensors> made_;     // by maker, the model's inputs last
  std::vector<Tensors> buffers_;  // by reader, the model's outputs last
  std::vector<Tensor> outputs_;
  Prediction prediction_;
  std::size_t peak_ = 0;
  std::size_t peak_piece_ = 0;
};

}  // namespace narrows
