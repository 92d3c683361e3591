#include "narrows/data/metrics.h"

#include <algorithm>
#include <limits>
#include <map>

namespace narrows {

void TopKAccuracy::add(const Prediction& prediction, int label) {
  ++count_;
  for (std::size_t rank = 0; rank < prediction.classes.size() && rank < 5; ++rank) {
    if (prediction.classes[rank].label != label) continue;
    if (rank == 0) ++hits1_;
    ++hits5_;
    return;
  }
}

double TopKAccuracy::top1() const {
  return count_ == 0 ? 0 : static_cast<double>(hits1_) / static_cast<double>(count_);
}

double TopKAccuracy::top5() const {
  return count_ == 0 ? 0 : static_cast<double>(hits5_) / static_cast<double>(count_);
}

namespace {

constexpr std::size_t kCocoMaxDetections = 100;

/// One detection after matching; ignored ones are dropped before.
struct Verdict {
  float score = 0;
  bool hit = false;
};

/// Boxes of one class in one picture, detections best first.
struct ClassBoxes {
  std::vector<Detection> detections;
  std::vector<TruthBox> truth;
};

bool isIgnored(const TruthBox& truth) {
  return truth.difficult || truth.crowd;
}

/// In double, so that an IoU right at a threshold does not depend on rounding of the areas.
double overlap(const Box& detection, const TruthBox& truth, bool crowd_rule) {
  const Box& other = truth.box;
  const double width =
      std::min<double>(detection.x2, other.x2) - std::max<double>(detection.x1, other.x1);
  const double height =
      std::min<double>(detection.y2, other.y2) - std::max<double>(detection.y1, other.y1);
  if (width <= 0 || height <= 0) return 0;
  const auto area = [](const Box& box) {
    return (static_cast<double>(box.x2) - static_cast<double>(box.x1)) *
           (static_cast<double>(box.y2) - static_cast<double>(box.y1));
  };
  const double shared = width * height;
  // A crowd region is not to be filled: the share of the detection inside it counts.
  const double whole =
      crowd_rule && truth.crowd ? area(detection) : area(detection) + area(other) - shared;
  return whole > 0 ? shared / whole : 0;
}

/// VOC: the truth of highest overlap decides, even when it is taken.
void matchVoc(const ClassBoxes& boxes, double threshold, std::vector<Verdict>& verdicts) {
  std::vector<bool> taken(boxes.truth.size());
  for (const Detection& detection : boxes.detections) {
    double best = -std::numeric_limits<double>::infinity();
    std::size_t best_index = 0;
    for (std::size_t t = 0; t < boxes.truth.size(); ++t) {
      const double iou = overlap(detection.box, boxes.truth[t], false);
      if (iou > best) {
        best = iou;
        best_index = t;
      }
    }
    const bool reached = best >= threshold;
    if (reached && isIgnored(boxes.truth[best_index])) continue;
    const bool hit = reached && !taken[best_index];
    if (hit) taken[best_index] = true;
    verdicts.push_back({detection.score, hit});
  }
}

/// COCO: the best truth that is still free; ignored truth only when no other reaches the threshold.
void matchCoco(const ClassBoxes& boxes, double threshold, std::vector<Verdict>& verdicts) {
  std::vector<bool> taken(boxes.truth.size());
  const std::size_t count = std::min(boxes.detections.size(), kCocoMaxDetections);
  for (std::size_t d = 0; d < count; ++d) {
    const Detection& detection = boxes.detections[d];
    const auto bestOf = [&](bool ignored) {
      double best = std::min(threshold, 1 - 1e-10);
      std::size_t index = boxes.truth.size();
      for (std::size_t t = 0; t < boxes.truth.size(); ++t) {
        const TruthBox& truth = boxes.truth[t];
        if (isIgnored(truth) != ignored || (taken[t] && !truth.crowd)) continue;
        const double iou = overlap(detection.box, truth, true);
        if (iou < best) continue;
        best = iou;
        index = t;
      }
      return index;
    };
    const std::size_t counted = bestOf(false);
    if (counted < boxes.truth.size()) {
      taken[counted] = true;
      verdicts.push_back({detection.score, true});
      continue;
    }
    const std::size_t ignored = bestOf(true);
    if (ignored < boxes.truth.size()) {
      taken[ignored] = true;
      continue;
    }
    verdicts.push_back({detection.score, false});
  }
}

/// Precision and recall after each detection, best score first.
struct Curve {
  std::vector<double> precision;
  std::vector<double> recall;
};

Curve makeCurve(std::vector<Verdict> verdicts, std::int64_t truths) {
  std::stable_sort(verdicts.begin(), verdicts.end(),
                   [](const Verdict& a, const Verdict& b) { return a.score > b.score; });
  Curve curve;
  double hits = 0;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    if (verdicts[i].hit) hits += 1;
    curve.precision.push_back(hits / static_cast<double>(i + 1));
    curve.recall.push_back(hits / static_cast<double>(truths));
  }
  // Monotone from the right: the best precision at this recall or more.
  for (std::size_t i = curve.precision.size(); i > 1; --i) {
    curve.precision[i - 2] = std::max(curve.precision[i - 2], curve.precision[i - 1]);
  }
  return curve;
}

double areaUnder(const Curve& curve) {
  double area = 0;
  double recall = 0;
  for (std::size_t i = 0; i < curve.recall.size(); ++i) {
    area += (curve.recall[i] - recall) * curve.precision[i];
    recall = curve.recall[i];
  }
  return area;
}

/// Mean of the monotone precision at recalls 0, 1/(points-1) .. 1.
double sampledMean(const Curve& curve, int points) {
  double sum = 0;
  std::size_t i = 0;
  for (int p = 0; p < points; ++p) {
    const double recall = static_cast<double>(p) / (points - 1);
    while (i < curve.recall.size() && curve.recall[i] < recall) ++i;
    if (i < curve.recall.size()) sum += curve.precision[i];
  }
  return sum / points;
}

double averageOf(const Curve& curve, ApRule rule) {
  switch (rule) {
    case ApRule::voc_11_point:
      return sampledMean(curve, 11);
    case ApRule::voc_area:
      return areaUnder(curve);
    case ApRule::coco:
      break;
  }
  return sampledMean(curve, 101);
}

/// For each class that occurs in the truth, its boxes picture by picture.
std::map<int, std::vector<ClassBoxes>> groupByClass(std::span<const ScoredPicture> pictures) {
  std::map<int, std::vector<ClassBoxes>> groups;
  for (const ScoredPicture& picture : pictures) {
    for (const TruthBox& truth : picture.truth) groups[truth.label];
  }
  for (const ScoredPicture& picture : pictures) {
    std::map<int, ClassBoxes> here;
    for (const TruthBox& truth : picture.truth) here[truth.label].truth.push_back(truth);
    for (const Detection& detection : picture.detections) {
      here[detection.label].detections.push_back(detection);
    }
    for (auto& [label, boxes] : here) {
      const auto group = groups.find(label);
      if (group == groups.end()) continue;
      std::stable_sort(boxes.detections.begin(), boxes.detections.end(),
                       [](const Detection& a, const Detection& b) { return a.score > b.score; });
      group->second.push_back(std::move(boxes));
    }
  }
  return groups;
}

ClassPrecision scoreClass(int label, const std::vector<ClassBoxes>& pictures, ApRule rule,
                          double iou_threshold) {
  ClassPrecision result;
  result.label = label;
  std::vector<Verdict> verdicts;
  for (const ClassBoxes& boxes : pictures) {
    result.truths += std::count_if(boxes.truth.begin(), boxes.truth.end(),
                                   [](const TruthBox& truth) { return !isIgnored(truth); });
    result.detections += static_cast<std::int64_t>(boxes.detections.size());
    if (rule == ApRule::coco) {
      matchCoco(boxes, iou_threshold, verdicts);
    } else {
      matchVoc(boxes, iou_threshold, verdicts);
    }
  }
  if (result.truths > 0) result.ap = averageOf(makeCurve(std::move(verdicts), result.truths), rule);
  return result;
}

DetectionAccuracy scoreGroups(const std::map<int, std::vector<ClassBoxes>>& groups, ApRule rule,
                              double iou_threshold) {
  DetectionAccuracy accuracy;
  double sum = 0;
  for (const auto& [label, pictures] : groups) {
    const ClassPrecision result = scoreClass(label, pictures, rule, iou_threshold);
    if (result.truths == 0) continue;
    sum += result.ap;
    accuracy.classes.push_back(result);
  }
  if (!accuracy.classes.empty()) accuracy.map = sum / static_cast<double>(accuracy.classes.size());
  return accuracy;
}

}  // namespace

DetectionAccuracy averagePrecision(std::span<const ScoredPicture> pictures, ApRule rule,
                                   double iou_threshold) {
  return scoreGroups(groupByClass(pictures), rule, iou_threshold);
}

CocoAccuracy cocoAccuracy(std::span<const ScoredPicture> pictures) {
  constexpr int kSteps = 10;
  const auto groups = groupByClass(pictures);
  CocoAccuracy accuracy;
  for (int step = 0; step < kSteps; ++step) {
    const double threshold = 0.5 + 0.05 * step;
    const double map = scoreGroups(groups, ApRule::coco, threshold).map;
    if (step == 0) accuracy.ap50 = map;
    accuracy.ap += map / kSteps;
  }
  return accuracy;
}

std::vector<TruthBox> truthFrom(const Prediction& prediction, float min_score) {
  std::vector<TruthBox> truth;
  for (const Detection& detection : prediction.detections) {
    if (detection.score < min_score) continue;
    truth.push_back({detection.label, detection.box, false, false});
  }
  return truth;
}

}  // namespace narrows
