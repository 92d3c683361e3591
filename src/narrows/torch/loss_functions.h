#pragma once

#include <span>
#include <vector>

#include "narrows/torch/operators.h"
#include "narrows/torch/task.h"
#include "narrows/torch/task_alignment.h"

namespace narrows::torched {

// The formulas of torch/losses.h inside a network. They throw what libtorch throws, and
// std::runtime_error where shapes or labels do not fit.
at::Tensor crossEntropy(const at::Tensor& output, std::span<const int> labels,
                        const ClassificationTask& task);
at::Tensor yolo(const Tensors& maps, std::span<const std::vector<BoxTarget>> boxes,
                const DetectionTask& task);
at::Tensor aligned(const at::Tensor& cells, std::span<const std::vector<BoxTarget>> boxes,
                   const TaskAlignment& alignment, const DualTask& task);
/// Both heads of a YOLOv10 network, each with the assignment that its own predictions give.
at::Tensor dual(const at::Tensor& one, const at::Tensor& many,
                std::span<const std::vector<BoxTarget>> boxes, const DualTask& task);
at::Tensor distillation(const at::Tensor& student, const at::Tensor& teacher, double temperature);
at::Tensor imitation(const at::Tensor& student, const at::Tensor& teacher);

}  // namespace narrows::torched
