#pragma once

#include <span>
#include <vector>

#include "narrows/codec/calibrator.h"
#include "narrows/codec/params.h"
#include "narrows/engine/engine.h"
#include "narrows/eval/pictures.h"
#include "narrows/graph/cuts.h"
#include "narrows/vision/description.h"

namespace narrows {

/// How a tensor is quantized at an interface.
struct QuantizerSpec {
  QuantizerKind kind = QuantizerKind::uniform;
  int bits = 8;
  Granularity granularity = Granularity::channel;
  friend bool operator==(const QuantizerSpec&, const QuantizerSpec&) = default;
};

/// "uniform 4 bit per channel", "two_level 1 bit per tensor", "fp32".
std::string toString(const QuantizerSpec& spec);

/// Statistics of the tensors of one cut over a set of pictures.
class CutCalibration {
 public:
  /// `samples` are maps of some of the pictures: by picture, then by tensor.
  explicit CutCalibration(std::vector<QuantizerCalibrator> calibrators,
                          std::vector<TensorType> types, std::vector<std::vector<Tensor>> samples)
      : calibrators_(std::move(calibrators)),
        types_(std::move(types)),
        samples_(std::move(samples)) {}

  /// One interface for each tensor of the cut, with the coder as `fitCoder` makes it.
  Result<std::vector<FeatureInterface>> fit(const QuantizerSpec& spec,
                                            const CoderParams& coder) const;

  /// Gives the interfaces, made by `fit`, this coder. `context` gets tables fitted to the sample of
  /// maps under the interface's quantizer, unless it brings its own or there is no quantizer.
  Status fitCoder(std::span<FeatureInterface> interfaces, const CoderParams& coder) const;

 private:
  std::vector<QuantizerCalibrator> calibrators_;
  std::vector<TensorType> types_;
  std::vector<std::vector<Tensor>> samples_;
};

/// Serialized tables of the context coder, fitted to maps of the interface's type under its
/// quantizer.
Result<ByteVector> fitContextTables(const FeatureInterface& interface,
                                    std::span<const TensorView> maps);

/// Runs the node piece of the cut over the pictures with `threads` programs of one thread each. The
/// result does not depend on the number of threads. Fails on an empty set and on a picture that
/// cannot be read.
Result<CutCalibration> calibrateCut(const Engine& engine, const Graph& graph, const Cut& cut,
                                    const ModelDescription& description, PictureSource& pictures,
                                    Granularity granularity, std::size_t threads);

}  // namespace narrows
