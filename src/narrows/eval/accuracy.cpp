#include "narrows/eval/accuracy.h"

#include <algorithm>

namespace narrows {
namespace {

constexpr double kPercent = 100.0;

Result<Metric> metricOf(const ModelDescription& description) {
  switch (description.head.kind) {
    case HeadKind::classification:
      return Metric::top1;
    case HeadKind::none:
      return makeError("the description of \"{}\" has no head, so predictions cannot be scored",
                       description.name);
    default:
      return Metric::map50;
  }
}

}  // namespace

std::string_view toString(Metric metric) {
  return metric == Metric::top1 ? "top-1" : "mAP@0.5";
}

Result<Scorer> Scorer::create(const ModelDescription& description, const DataSet& data,
                              std::vector<Prediction> reference) {
  NARROWS_ASSERT(reference.size() == data.items.size());
  Scorer scorer;
  NARROWS_TRY(metric, metricOf(description));
  scorer.metric_ = metric;
  scorer.against_truth_ = data.truth != TruthKind::none;
  if (data.truth == TruthKind::boxes && metric == Metric::top1) {
    return makeError("the data set has boxes, but the model is a classifier");
  }
  if (data.truth == TruthKind::classes && metric == Metric::map50) {
    return makeError("the data set has classes, but the model is a detector");
  }
  const auto threshold = static_cast<float>(description.head.score_threshold);
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const DataItem& item = data.items[i];
    if (metric == Metric::top1) {
      const auto& classes = reference[i].classes;
      scorer.labels_.push_back(scorer.against_truth_ ? item.label
                               : classes.empty()     ? -1
                                                     : classes[0].label);
    } else {
      scorer.boxes_.push_back(scorer.against_truth_ ? item.boxes
                                                    : truthFrom(reference[i], threshold));
    }
  }
  const auto is_empty = [](const std::vector<TruthBox>& boxes) { return boxes.empty(); };
  if (metric == Metric::map50 &&
      std::all_of(scorer.boxes_.begin(), scorer.boxes_.end(), is_empty)) {
    return scorer.against_truth_
               ? makeError("none of the {} pictures has a box, so there is nothing to find",
                           scorer.boxes_.size())
               : makeError(
                     "the uncut network detects nothing above a score of {} on {} pictures, so "
                     "there is no agreement to measure; give other pictures or a lower threshold",
                     threshold, scorer.boxes_.size());
  }
  scorer.uncut_ = scorer.score(reference);
  return scorer;
}

Accuracy Scorer::score(const std::vector<Prediction>& predictions) const {
  if (metric_ == Metric::top1) {
    NARROWS_ASSERT(predictions.size() == labels_.size());
    TopKAccuracy accuracy;
    for (std::size_t i = 0; i < predictions.size(); ++i) accuracy.add(predictions[i], labels_[i]);
    return {kPercent * accuracy.top1(), kPercent * accuracy.top5()};
  }
  NARROWS_ASSERT(predictions.size() == boxes_.size());
  std::vector<ScoredPicture> pictures;
  pictures.reserve(predictions.size());
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    pictures.push_back({predictions[i].detections, boxes_[i]});
  }
  const CocoAccuracy accuracy = cocoAccuracy(pictures);
  return {kPercent * accuracy.ap50, kPercent * accuracy.ap};
}

}  // namespace narrows
