#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/data/dataset.h"
#include "narrows/data/metrics.h"
#include "narrows/vision/description.h"
#include "narrows/vision/detection.h"

namespace narrows {

/// What predictions are scored by.
enum class Metric : std::uint8_t { top1, map50 };

/// "top-1" or "mAP@0.5".
std::string_view toString(Metric metric);

/// Both in percent.
struct Accuracy {
  /// Top-1, or mAP at IoU 0.5 under COCO's rule.
  double primary = 0;
  /// Top-5, or mAP over IoU 0.5 .. 0.95.
  double secondary = 0;
};

/// Scores predictions for the pictures of a data set. Where the set has truth, against it; where it
/// has none, against the predictions of the uncut network, so that the figure is an agreement.
class Scorer {
 public:
  /// `reference` are the uncut network's predictions, one a picture. Fails when the truth does not
  /// fit the kind of head (boxes for a classifier, or classes for a detector), and when there is no
  /// box to find in any picture.
  static Result<Scorer> create(const ModelDescription& description, const DataSet& data,
                               std::vector<Prediction> reference);

  Metric metric() const { return metric_; }
  bool againstTruth() const { return against_truth_; }
  /// One prediction for each picture, in the set's order.
  Accuracy score(const std::vector<Prediction>& predictions) const;
  /// The primary figure of a sample of the pictures, given by their positions in the set; one may
  /// occur repeatedly. A sample without any box scores 0.
  double primary(const std::vector<Prediction>& predictions,
                 std::span<const std::size_t> pictures) const;
  const Accuracy& uncut() const { return uncut_; }

 private:
  Scorer() = default;
  TopKAccuracy classesOf(const std::vector<Prediction>& predictions,
                         std::span<const std::size_t> pictures) const;
  std::vector<ScoredPicture> boxesOf(const std::vector<Prediction>& predictions,
                                     std::span<const std::size_t> pictures) const;

  Metric metric_ = Metric::top1;
  bool against_truth_ = false;
  std::vector<int> labels_;
  std::vector<std::vector<TruthBox>> boxes_;
  Accuracy uncut_;
};

}  // namespace narrows
