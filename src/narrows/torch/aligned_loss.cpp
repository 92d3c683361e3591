#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "narrows/torch/box_overlap.h"
#include "narrows/torch/cell_grid.h"
#include "narrows/torch/convert.h"
#include "narrows/torch/loss_functions.h"

namespace narrows::torched {
namespace {

/// The cells that predict a box, with what they should predict.
struct Positives {
  std::vector<std::int64_t> places;  // in samples x cells
  std::vector<double> weights;
  std::vector<std::int64_t> labels;
  std::vector<double> x, y, stride;  // of the cell, pixels
  std::vector<double> cx, cy, w, h;  // of the box, pixels
  std::vector<double> distances;     // four for each, in cells, within the bins
};

Positives gather(std::span<const std::vector<BoxTarget>> boxes, const TaskAlignment& alignment,
                 const DualTask& task, std::size_t bins) {
  const std::vector<GridCell> grid = cellGrid(task);
  Positives found;
  for (std::size_t i = 0; i < alignment.box.size(); ++i) {
    if (alignment.box[i] < 0) continue;
    const BoxTarget& box = boxes[i / grid.size()][static_cast<std::size_t>(alignment.box[i])];
    const GridCell& cell = grid[i % grid.size()];
    found.places.push_back(static_cast<std::int64_t>(i));
    found.weights.push_back(alignment.target[i]);
    found.labels.push_back(box.label);
    found.x.push_back(cell.x);
    found.y.push_back(cell.y);
    found.stride.push_back(cell.stride);
    const double cx = box.cx * static_cast<double>(task.width);
    const double cy = box.cy * static_cast<double>(task.height);
    const double w = box.w * static_cast<double>(task.width);
    const double h = box.h * static_cast<double>(task.height);
    found.cx.push_back(cx);
    found.cy.push_back(cy);
    found.w.push_back(w);
    found.h.push_back(h);
    for (const double side :
         {cell.x - (cx - w / 2), cell.y - (cy - h / 2), cx + w / 2 - cell.x, cy + h / 2 - cell.y}) {
      found.distances.push_back(
          std::clamp(side / cell.stride, 0.0, static_cast<double>(bins) - 1.01));
    }
  }
  return found;
}

/// Cross-entropy of the two bins around each distance, weighed by how near they are (Li et al.
/// 2020, equation 6), mean over the sides.
at::Tensor binLoss(const at::Tensor& bins, const at::Tensor& distances) {
  const at::Tensor logarithm = at::log_softmax(bins, 2);
  const at::Tensor left = at::floor(distances);
  const at::Tensor right_share = distances - left;
  const at::Tensor index = left.to(at::kLong).unsqueeze(2);
  const at::Tensor at_left = logarithm.gather(2, index).squeeze(2);
  const at::Tensor at_right = logarithm.gather(2, index + 1).squeeze(2);
  return -(at_left * (1 - right_share) + at_right * right_share).mean(1);
}

}  // namespace

at::Tensor aligned(const at::Tensor& cells, std::span<const std::vector<BoxTarget>> boxes,
                   const TaskAlignment& alignment, const DualTask& task) {
  auto shape = Shape::create({cells.sizes().data(), cells.sizes().size()});
  if (!shape.ok()) throw std::runtime_error(shape.error().message);
  const Status fits = checkCells(*shape, boxes, task);
  if (!fits.ok()) throw std::runtime_error(fits.error().message);
  const auto bins = static_cast<std::int64_t>(binCount(*shape, task));
  const std::int64_t classes = task.head.classes;
  const auto places = static_cast<std::size_t>(cells.size(0) * cells.size(2));
  if (alignment.box.size() != places || alignment.target.size() != places) {
    throw std::runtime_error("an alignment of other cells");
  }
  const double norm = std::max(alignment.targetSum(), 1.0);
  const Positives positives = gather(boxes, alignment, task, binCount(*shape, task));
  const at::Tensor rows = cells.permute({0, 2, 1}).reshape({-1, cells.size(1)});
  const at::Tensor scores = rows.narrow(1, 4 * bins, classes);
  at::Tensor wanted = at::zeros({scores.size(0), classes}, at::kDouble);
  for (std::size_t i = 0; i < positives.places.size(); ++i) {
    wanted.data_ptr<double>()[positives.places[i] * classes + positives.labels[i]] =
        positives.weights[i];
  }
  at::Tensor loss = at::binary_cross_entropy_with_logits(scores, wanted.to(cells.options()), {}, {},
                                                         at::Reduction::Sum) *
                    (task.class_weight / norm);
  if (positives.places.empty()) return loss;

  const at::Tensor index = indicesInto(cells, positives.places);
  const at::Tensor sides =
      rows.narrow(1, 0, 4 * bins).index_select(0, index).reshape({-1, 4, bins});
  const at::Tensor distances = (at::softmax(sides, 2) * at::arange(bins, cells.options())).sum(2);
  const at::Tensor stride = column(positives.stride, cells);
  const at::Tensor left = distances.select(1, 0) * stride;
  const at::Tensor top = distances.select(1, 1) * stride;
  const at::Tensor right = distances.select(1, 2) * stride;
  const at::Tensor bottom = distances.select(1, 3) * stride;
  const std::array<at::Tensor, 4> found = {column(positives.x, cells) + (right - left) / 2,
                                           column(positives.y, cells) + (bottom - top) / 2,
                                           left + right, top + bottom};
  const std::array<at::Tensor, 4> truth = {column(positives.cx, cells), column(positives.cy, cells),
                                           column(positives.w, cells), column(positives.h, cells)};
  const at::Tensor weights = column(positives.weights, cells);
  const at::Tensor of_boxes = (ciouLoss(found, truth) * weights).sum();
  const at::Tensor of_bins =
      (binLoss(sides, column(positives.distances, cells).reshape({-1, 4})) * weights).sum();
  return loss + of_boxes * (task.box_weight / norm) + of_bins * (task.bin_weight / norm);
}

at::Tensor dual(const at::Tensor& one, const at::Tensor& many,
                std::span<const std::vector<BoxTarget>> boxes, const DualTask& task) {
  const auto of = [&](const at::Tensor& cells, std::size_t top) {
    const Tensor plain = fromAten(cells, DType::f32);
    const auto alignment = alignTask(plain, boxes, task, top);
    if (!alignment.ok()) throw std::runtime_error(alignment.error().message);
    return aligned(cells, boxes, *alignment, task);
  };
  return of(one, 1) + of(many, task.many);
}

}  // namespace narrows::torched
