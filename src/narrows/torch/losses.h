#pragma once

#include <span>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/codec/params.h"
#include "narrows/tensor/tensor.h"
#include "narrows/torch/task.h"
#include "narrows/torch/task_alignment.h"

/// The losses of training, each as its value and its gradients by its arguments, in the arithmetic
/// of these (f32 or f64). `Trainer` uses the same code inside a network.
namespace narrows {

struct LossGradient {
  double loss = 0;
  std::vector<Tensor> gradients;
};

/// Mean over the samples of the cross-entropy of `output` (samples x entries).
Result<LossGradient> crossEntropyLoss(TensorView output, std::span<const int> labels,
                                      const ClassificationTask& task);

/// Loss of YOLOv2 and YOLOv3 heads (Redmon and Farhadi 2017 and 2018) on maps of
/// samples x anchors * (5 + classes) x H x W, over the number of samples:
///   box:     for each assigned anchor (2 - w h) (1 - CIoU) of the decoded box (Zheng et al. 2020,
///            equations 9 to 12, with the derivative of the factor alpha too),
///   object:  binary cross-entropy of every objectness, but of those with an IoU above `ignore_iou`
///            that are not assigned,
///   class:   binary cross-entropy of each class (softmax for a YOLOv2 head with it).
/// A box is assigned to the anchor whose shape is nearest by IoU, over all maps, and to those above
/// `assign_iou`, in the cell of its centre.
Result<LossGradient> yoloLoss(std::span<const TensorView> maps,
                              std::span<const std::vector<BoxTarget>> boxes,
                              const DetectionTask& task);

/// Loss of one head of YOLOv10 on `cells` (see `alignTask`) with an assignment that is held, all
/// over the sum of its targets (at least 1), with the weights of the task:
///   class:   binary cross-entropy of every score with its target,
///   box:     target (1 - CIoU) of each assigned cell,
///   bins:    target times the distribution focal loss of its four distances (Li et al. 2020,
///            equation 6), which are clamped to the bins.
/// `Trainer` adds up those of both heads, each with the assignment of its own predictions.
Result<LossGradient> alignedLoss(TensorView cells, std::span<const std::vector<BoxTarget>> boxes,
                                 const TaskAlignment& alignment, const DualTask& task);

/// Mean over the samples of the Kullback-Leibler divergence of the teacher's class distribution
/// from the student's, both softened by `temperature`, times its square (Hinton et al. 2015,
/// section 2). Gradient by the student.
Result<LossGradient> distillationLoss(TensorView student, TensorView teacher, double temperature);

/// Mean squared difference over the mean square of the teacher. Gradient by the student.
Result<LossGradient> imitationLoss(TensorView student, TensorView teacher);

/// What a quantizer in a network gives and passes back.
struct QuantizedGradient {
  Tensor output;
  /// By the map, by `low` and `step`, by `levels` (empty unless learned and of the quantizer).
  Tensor by_map;
  std::vector<float> by_low;
  std::vector<float> by_step;
  std::vector<float> by_levels;
};

/// `map` through the quantizer, and the surrogate gradients of <output, weight>; see
/// docs/training.md.
Result<QuantizedGradient> fakeQuantize(TensorView map, const QuantizerParams& params, bool learned,
                                       TensorView weight);

/// The clustering loss's mean squared distance to the nearest level.
Result<LossGradient> clusteringLoss(TensorView map, const QuantizerParams& params);

/// Expected bits under the context coder with these tables (empty: the standard ones).
Result<LossGradient> rateLoss(TensorView map, const QuantizerParams& params, ByteSpan tables);

}  // namespace narrows
