#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "narrows/data/dataset.h"
#include "narrows/vision/detection.h"

/// Accuracy of classifiers and detectors as fractions, 0..1.
namespace narrows {

/// Share of pictures whose class is the best, or among the best five, of the prediction.
class TopKAccuracy {
 public:
  void add(const Prediction& prediction, int label);
  std::int64_t count() const { return count_; }
  /// 0 when nothing was added.
  double top1() const;
  double top5() const;

 private:
  std::int64_t count_ = 0;
  std::int64_t hits1_ = 0;
  std::int64_t hits5_ = 0;
};

/// Detections and truth of one picture.
struct ScoredPicture {
  std::vector<Detection> detections;
  std::vector<TruthBox> truth;
};

enum class ApRule : std::uint8_t {
  /// Mean over recalls 0, 0.1 .. 1 of the best precision at that recall or more (VOC 2007).
  voc_11_point,
  /// Area under the precision curve made monotone (VOC 2010 and later).
  voc_area,
  /// Mean over recalls 0, 0.01 .. 1 of the monotone precision, the 100 best detections of a class
  /// in a picture (COCO).
  coco,
};

struct ClassPrecision {
  int label = 0;
  /// Average precision.
  double ap = 0;
  /// Truth boxes that count.
  std::int64_t truths = 0;
  std::int64_t detections = 0;
};

struct DetectionAccuracy {
  /// Mean of the classes' average precision; 0 when no class has truth.
  double map = 0;
  /// Classes with at least one truth box that counts, by label.
  std::vector<ClassPrecision> classes;
};

/// Average precision at one IoU threshold. VOC rules (Everingham et al. 2010, section 4.2): each
/// detection, by score, takes the truth of highest IoU in its picture, and is a hit when that IoU
/// reaches the threshold and the truth was not taken; `difficult` (and `crowd`) truth is not
/// counted nor are detections on it. COCO rule (cocoapi, evaluateImg and accumulate): a detection
/// takes the best truth still free, `crowd` and `difficult` ones only if no other, and those on
/// them are not counted. Equal scores keep the order of pictures and of lists.
DetectionAccuracy averagePrecision(std::span<const ScoredPicture> pictures, ApRule rule,
                                   double iou_threshold = 0.5);

struct CocoAccuracy {
  /// At IoU 0.5.
  double ap50 = 0;
  /// Mean over IoU 0.5, 0.55 .. 0.95.
  double ap = 0;
};
CocoAccuracy cocoAccuracy(std::span<const ScoredPicture> pictures);

/// A prediction as truth, to score the agreement of another with it; detections under `min_score`
/// are left out.
std::vector<TruthBox> truthFrom(const Prediction& prediction, float min_score);

}  // namespace narrows
