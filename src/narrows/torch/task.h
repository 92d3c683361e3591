#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "narrows/tensor/tensor.h"
#include "narrows/vision/description.h"

/// What a network is trained for, and with. Plain: no header of libtorch.
namespace narrows {

/// A box to be found, in the network's input: centre and size as shares of its width and height.
struct BoxTarget {
  int label = 0;
  double cx = 0;
  double cy = 0;
  double w = 0;
  double h = 0;
};

/// Pictures with what is in them.
struct TrainBatch {
  /// f32, samples x 3 x height x width.
  Tensor pictures;
  /// One for each sample, where classes are trained.
  std::vector<int> labels;
  /// One list for each sample, where boxes are trained.
  std::vector<std::vector<BoxTarget>> boxes;

  std::size_t size() const { return static_cast<std::size_t>(pictures.shape()[0]); }
};

/// Cross-entropy with label smoothing (Szegedy et al. 2016, section 7).
struct ClassificationTask {
  double smoothing = 0.1;
  /// Entry of the output that is class 0.
  std::int64_t class_offset = 0;
  /// The output is logits; otherwise probabilities.
  bool logits = true;
};

/// Detection with the heads of YOLOv2 and YOLOv3; see `yoloLoss`.
struct DetectionTask {
  Head head;
  /// Of the network's input, pixels.
  std::int64_t width = 0;
  std::int64_t height = 0;
  double box_weight = 2;
  double object_weight = 1;
  double class_weight = 1;
  /// A prediction that overlaps some box this much is not punished for its objectness.
  double ignore_iou = 0.6;
  /// Anchors beside the best one that share this much of a box's shape predict it as well; 1: none.
  double assign_iou = 0.3;
};

/// Detection with the head of YOLOv10 (Wang et al. 2024, section 3.1): while it is trained a
/// one-to-many head stands beside the one-to-one head that is deployed. See `alignTask` and
/// `alignedLoss`.
struct DualTask {
  Head head;
  /// Of the network's input, pixels.
  std::int64_t width = 0;
  std::int64_t height = 0;
  double box_weight = 7.5;
  double class_weight = 0.5;
  /// Of the distribution focal loss.
  double bin_weight = 1.5;
  /// A cell's metric for a box is score^alpha CIoU^beta (Feng et al. 2021, equation 4), the same
  /// for both heads, so that they agree on what is best.
  double alpha = 0.5;
  double beta = 6;
  /// Cells that each box is given to by the one-to-many head; the other one gives one.
  std::size_t many = 10;
};

using Task = std::variant<std::monostate, ClassificationTask, DetectionTask, DualTask>;

}  // namespace narrows
