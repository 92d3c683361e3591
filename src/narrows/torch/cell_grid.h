#pragma once

#include <span>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/tensor/tensor.h"
#include "narrows/torch/task.h"

/// The cells of a YOLOv10 head, in the order of HeadKind::yolov10.
namespace narrows {

/// Its middle and its side, pixels of the network's input.
struct GridCell {
  double x = 0;
  double y = 0;
  double stride = 1;
};

std::vector<GridCell> cellGrid(const DualTask& task);

/// Bins of each distance in logits of samples x (4 bins + classes) x N, which `checkCells` passes.
std::size_t binCount(const Shape& cells, const DualTask& task);

/// Whether shape and labels fit the task.
Status checkCells(const Shape& cells, std::span<const std::vector<BoxTarget>> boxes,
                  const DualTask& task);

}  // namespace narrows
