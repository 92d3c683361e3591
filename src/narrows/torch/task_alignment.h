#pragma once

#include <span>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/tensor/tensor.h"
#include "narrows/torch/task.h"

namespace narrows {

/// Which cells of a YOLOv10 head predict which boxes. One entry for each sample and cell.
struct TaskAlignment {
  /// Position in the sample's list of boxes, -1 for none.
  std::vector<int> box;
  /// What the score of the box's class should be; 0 where there is no box.
  std::vector<double> target;

  double targetSum() const;
};

/// Task-aligned assignment (Feng et al. 2021, section 3.2.1) on what a head gave: `cells` is
/// samples x (4 bins + classes) x N, f32 or f64, the logits of the bins of each side's distance,
/// then those of the classes, cells as HeadKind::yolov10 orders them.
///
/// Each box takes the `top` cells of highest metric among those whose middle lies within it (of
/// equal ones the first). A cell that several boxes take goes to the one that its prediction
/// overlaps most by CIoU. The target of a cell is its metric times the highest CIoU over the
/// highest metric of the cells that the box keeps. Fails on shapes and labels that do not fit.
Result<TaskAlignment> alignTask(TensorView cells, std::span<const std::vector<BoxTarget>> boxes,
                                const DualTask& task, std::size_t top);

}  // namespace narrows
