#pragma once

#include <span>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/codec/params.h"
#include "narrows/tensor/tensor.h"
#include "narrows/torch/task.h"

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

/// Mean over the samples of the Kullback-Leibler divergence of the teacher's class distribution
/// from the student's, both softened by `temperature`, times its square (Hinton et al. 2015,
/// section 2). Gradient by the student.
Result<LossGradient> distillationLoss(TensorView student, TensorView teacher, double temperature);

/// Mean squared difference over the mean square of the teacher. Gradient by the student.
Result<LossGradient> imitationLoss(TensorView student, TensorView teacher);

/// What a quantizer in a network gives and passes back.
struct QuantizedGradient {
  Tensor output;
  /// By the map, by `low` and by `step` (the latter empty unless learned).
  Tensor by_map;
  std::vector<float> by_low;
  std::vector<float> by_step;
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
