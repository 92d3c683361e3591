#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "narrows/base/units.h"
#include "narrows/codec/params.h"
#include "narrows/data/dataset.h"
#include "narrows/engine/engine.h"
#include "narrows/eval/accuracy.h"
#include "narrows/eval/calibration.h"
#include "narrows/eval/node_maps.h"
#include "narrows/eval/pictures.h"
#include "narrows/eval/predictor.h"
#include "narrows/graph/cuts.h"
#include "narrows/vision/description.h"

/// Measures cuts x quantizers x coders on a data set: accuracy of the pieces that ship, bytes of
/// real frames, coding time.
namespace narrows {

struct SweepOptions {
  std::vector<QuantizerSpec> quantizers;
  /// The first one codes every frame, and its frames are what the server piece is run on.
  std::vector<CoderParams> coders;
  /// Frames that each slow coder (`isSlow`) codes, spread evenly over the set; 0 means all.
  std::size_t slow_coder_frames = 8;
  /// Pictures in parallel, each on an engine of one thread.
  std::size_t threads = 1;
};

/// Coders that would take most of a sweep's time.
bool isSlow(const CoderParams& coder);

/// Interfaces of a cut's tensors for each coder.
using FittedCoders = std::vector<std::vector<FeatureInterface>>;

/// A cut with its interfaces, calibrated.
struct FittedCut {
  Cut cut;
  std::vector<QuantizerSpec> quantizers;
  std::vector<CoderParams> coders;
  std::vector<FittedCoders> interfaces;  // by quantizer
};

/// What a measurement of a cut covers.
struct CutScope {
  /// Pictures, spread evenly over the set; 0 means all.
  std::size_t pictures = 0;
  /// Whether accuracies are wanted; only over all pictures.
  bool score = true;
  /// Of the cut: maps that it has are not computed again, others are added. Without any computed,
  /// the node's time is 0.
  NodeMaps* kept = nullptr;
};

/// Frames of one coder, framing included; all tensors of the cut together. Measured.
struct CoderFigures {
  CoderParams coder;
  std::size_t frames = 0;
  double mean_bytes = 0;
  /// Sample standard deviation of a frame's bytes; 0 for one frame.
  double bytes_deviation = 0;
  std::size_t worst_bytes = 0;
  /// Quantizing, packing and coding one picture's tensors; mean.
  Seconds encode_time;
  Seconds decode_time;
};

/// One way to cut: a cut with a quantizer, or an end.
struct SweepRow {
  QuantizerSpec quantizer;
  Accuracy accuracy;  // 0 unless the scope asked for it
  std::vector<CoderFigures> coders;
};

struct CutSweep {
  Cut cut;
  /// Running the node piece, and the server piece with its head, on one thread of this host; mean
  /// of a picture. Measured, as the processor time of that thread.
  Seconds node_time;
  Seconds server_time;
  std::vector<SweepRow> rows;  // in the order of the fitted cut's quantizers
};

/// Sending the picture and running all on the server.
struct ImageSweep {
  ImageInterface interface;
  Accuracy accuracy;
  double mean_bytes = 0;
  std::size_t worst_bytes = 0;
  Seconds encode_time;
};

/// What a sweep compares with.
struct SweepBaseline {
  Metric metric = Metric::top1;
  bool against_truth = false;
  std::size_t pictures = 0;
  Accuracy uncut;
  /// The picture at the network's size, 8 bits a sample.
  std::size_t raw_image_bytes = 0;
  /// The files as they are; mean.
  double file_bytes = 0;
  /// Running the uncut network and its head on one thread of this host; mean of a picture.
  /// Measured, as the processor time of that thread.
  Seconds uncut_time;
};
/// The metric, and "agreement" behind it where the uncut network stands in for truth.
std::string scoreName(const SweepBaseline& baseline);

/// Runs sweeps over one model and data set; the uncut network is run once.
class Sweep {
 public:
  /// Called after every picture of every cut; may be called by several threads, one at a time.
  using Progress = std::function<void()>;

  /// The graph, description, data and engine must outlive the sweep. Fails when a picture cannot be
  /// read or the head does not fit the graph.
  static Result<Sweep> create(const Engine& engine, const Graph& graph,
                              const ModelDescription& description, const DataSet& data,
                              const SweepOptions& options, const Progress& progress = {});

  const Graph& graph() const { return *graph_; }
  const SweepBaseline& baseline() const { return baseline_; }

  /// Calibrates interfaces for these quantizers and coders, at least one of each.
  Result<FittedCut> fitCut(const Cut& cut, PictureSource& calibration,
                           std::vector<QuantizerSpec> quantizers,
                           std::vector<CoderParams> coders) const;

  /// Decoded frames of every coder are compared; a difference is an error.
  Result<CutSweep> measureCut(const FittedCut& fitted, const CutScope& scope,
                              const Progress& progress = {});

  /// All of the options' quantizers and coders, over all pictures.
  Result<CutSweep> measureCut(const Cut& cut, PictureSource& calibration,
                              const Progress& progress = {});

  Result<ImageSweep> measureImage(const ImageInterface& interface, const Progress& progress = {});

 private:
  Sweep(const Engine& engine, const Graph& graph, const ModelDescription& description,
        const DataSet& data, const SweepOptions& options)
      : engine_(&engine),
        graph_(&graph),
        description_(&description),
        data_(&data),
        options_(options),
        pictures_(data.items, description.preprocessing) {}

  const Engine* engine_;
  const Graph* graph_;
  const ModelDescription* description_;
  const DataSet* data_;
  SweepOptions options_;
  PictureSource pictures_;
  /// Of the uncut network, one for each worker. While they live the engine keeps its weights
  /// packed, which those of pieces are.
  std::vector<Predictor> predictors_;
  SweepBaseline baseline_;
  std::optional<Scorer> scorer_;
};

}  // namespace narrows
