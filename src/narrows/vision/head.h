#pragma once

#include <optional>
#include <span>
#include <vector>

#include "narrows/tensor/tensor.h"
#include "narrows/vision/description.h"
#include "narrows/vision/detection.h"
#include "narrows/vision/image.h"

/// From a network's outputs to detections and classes.
namespace narrows {

struct HeadOptions {
  /// Lowest score kept, instead of the description's. Average precision needs a low one, such as
  /// kMapScoreThreshold.
  std::optional<double> score_threshold;
  /// Instead of the description's.
  std::optional<double> iou_threshold;
  /// Best-scored detections kept for a picture.
  std::size_t max_detections = 300;
};

/// Score threshold under which detections hardly move the area under a precision-recall curve.
constexpr double kMapScoreThreshold = 0.005;

/// Decodes the outputs of one picture, given in the order of `head.outputs` (or the graph's when
/// that is empty), f32. `picture` is the size of the picture that was pre-processed; boxes are
/// relative to it and clipped to it. Detections are ordered by score, then label, then position in
/// the output, so equal outputs give equal lists. Fails, naming the output, when a shape or dtype
/// is not what the description says; a candidate with a number that is not finite is dropped.
Result<Prediction> decodeHead(const ModelDescription& description,
                              std::span<const TensorView> outputs, ImageSize picture,
                              const HeadOptions& options = {});

/// Greedy non-maximum suppression within each class: candidates are visited by score, then label,
/// then position; one that overlaps a kept one of its class by more than `iou_threshold` is
/// dropped. Stops after `max_detections`.
std::vector<Detection> suppressNonMaxima(std::vector<Detection> candidates, double iou_threshold,
                                         std::size_t max_detections);

}  // namespace narrows
