#include "narrows/torch/cell_grid.h"

namespace narrows {

std::vector<GridCell> cellGrid(const DualTask& task) {
  std::vector<GridCell> cells;
  for (const std::int64_t stride : task.head.strides) {
    const auto side = static_cast<double>(stride);
    for (std::int64_t y = 0; y < task.height / stride; ++y) {
      for (std::int64_t x = 0; x < task.width / stride; ++x) {
        cells.push_back(
            {(static_cast<double>(x) + 0.5) * side, (static_cast<double>(y) + 0.5) * side, side});
      }
    }
  }
  return cells;
}

std::size_t binCount(const Shape& cells, const DualTask& task) {
  return static_cast<std::size_t>((cells[1] - task.head.classes) / 4);
}

Status checkCells(const Shape& cells, std::span<const std::vector<BoxTarget>> boxes,
                  const DualTask& task) {
  const auto count = static_cast<std::int64_t>(cellGrid(task).size());
  const auto samples = static_cast<std::int64_t>(boxes.size());
  const std::int64_t classes = task.head.classes;
  if (classes < 1 || cells.rank() != 3 || cells[0] != samples || cells[2] != count ||
      cells[1] < classes + 8 || (cells[1] - classes) % 4 != 0) {
    return makeError("logits of {}, expected {} x (4 bins + {}) x {}", toString(cells), samples,
                     classes, count);
  }
  for (const std::vector<BoxTarget>& list : boxes) {
    for (const BoxTarget& box : list) {
      if (box.label < 0 || box.label >= classes) {
        return makeError("label {} of {} classes", box.label, classes);
      }
    }
  }
  return {};
}

}  // namespace narrows
