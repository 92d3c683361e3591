#include "narrows/eval/accuracy.h"

#include <algorithm>
#include <numeric>

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
  std::vector<std::size_t> all(predictions.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  if (metric_ == Metric::top1) {
    const TopKAccuracy accuracy = classesOf(predictions, all);
    return {kPercent * accuracy.top1(), kPercent * accuracy.top5()};
  }
  const CocoAccuracy accuracy = cocoAccuracy(boxesOf(predictions, all));
  return {kPercent * accuracy.ap50, kPercent * accuracy.ap};
}

double Scorer::primary(const std::vector<Prediction>& predictions,
                       std::span<const std::size_t> pictures) const {
  if (metric_ == Metric::top1) return kPercent * classesOf(predictions, pictures).top1();
  return kPercent * averagePrecision(boxesOf(predictions, pictures), ApRule::coco).map;
}

TopKAccuracy Scorer::classesOf(const std::vector<Prediction>& predictions,
                               std::span<const std::size_t> pictures) const {
  NARROWS_ASSERT(predictions.size() == labels_.size());
  TopKAccuracy accuracy;
  for (const std::size_t i : pictures) accuracy.add(predictions[i], labels_[i]);
  return accuracy;
}

std::vector<ScoredPicture> Scorer::boxesOf(const std::vector<Prediction>& predictions,
                                           std::span<const std::size_t> pictures) const {
  NARROWS_ASSERT(predictions.size() == boxes_.size());
  std::vector<ScoredPicture> scored;
  scored.reserve(pictures.size());
  for (const std::size_t i : pictures) scored.push_back({predictions[i].detections, boxes_[i]});
  return scored;
}

}  // namespace narrows
