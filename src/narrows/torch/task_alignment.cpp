#include "narrows/torch/task_alignment.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "narrows/torch/cell_grid.h"

namespace narrows {
namespace {

struct Corners {
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
};

Corners cornersOf(const BoxTarget& box, const DualTask& task) {
  const auto width = static_cast<double>(task.width);
  const auto height = static_cast<double>(task.height);
  return {(box.cx - box.w / 2) * width, (box.cy - box.h / 2) * height, (box.cx + box.w / 2) * width,
          (box.cy + box.h / 2) * height};
}

/// CIoU (Zheng et al. 2020, equations 9 to 12), nothing below 0.
double overlap(const Corners& a, const Corners& b) {
  const double w = std::max(0.0, std::min(a.x2, b.x2) - std::max(a.x1, b.x1));
  const double h = std::max(0.0, std::min(a.y2, b.y2) - std::max(a.y1, b.y1));
  const double aw = a.x2 - a.x1, ah = a.y2 - a.y1, bw = b.x2 - b.x1, bh = b.y2 - b.y1;
  const double iou = w * h / (aw * ah + bw * bh - w * h + 1e-9);
  const double cw = std::max(a.x2, b.x2) - std::min(a.x1, b.x1);
  const double ch = std::max(a.y2, b.y2) - std::min(a.y1, b.y1);
  const double dx = (a.x1 + a.x2 - b.x1 - b.x2) / 2;
  const double dy = (a.y1 + a.y2 - b.y1 - b.y2) / 2;
  const double angle = std::atan(bw / bh) - std::atan(aw / ah);
  const double v = angle * angle * 4 / (std::numbers::pi * std::numbers::pi);
  const double alpha = v / (1 - iou + v + 1e-9);
  return std::max(0.0, iou - (dx * dx + dy * dy) / (cw * cw + ch * ch + 1e-9) - alpha * v);
}

/// A sample's predictions.
class CellReader {
 public:
  CellReader(const TensorView& cells, std::size_t sample, const DualTask& task)
      : grid_(cellGrid(task)), bins_(binCount(cells.shape(), task)) {
    const std::size_t fields = 4 * bins_ + static_cast<std::size_t>(task.head.classes);
    const std::size_t count = fields * grid_.size();
    values_.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      values_[i] = cells.dtype() == DType::f64
                       ? cells.as<double>()[sample * count + i]
                       : static_cast<double>(cells.as<float>()[sample * count + i]);
    }
  }

  const std::vector<GridCell>& grid() const { return grid_; }
  double score(std::size_t cell, int label) const {
    return 1 / (1 + std::exp(-at(4 * bins_ + static_cast<std::size_t>(label), cell)));
  }
  Corners box(std::size_t cell) const {
    const GridCell& c = grid_[cell];
    return {c.x - distance(cell, 0) * c.stride, c.y - distance(cell, 1) * c.stride,
            c.x + distance(cell, 2) * c.stride, c.y + distance(cell, 3) * c.stride};
  }

 private:
  double at(std::size_t field, std::size_t cell) const {
    return values_[field * grid_.size() + cell];
  }
  /// Mean of the bins under their softmax, in cells.
  double distance(std::size_t cell, std::size_t side) const {
    double most = at(side * bins_, cell);
    for (std::size_t b = 1; b < bins_; ++b) most = std::max(most, at(side * bins_ + b, cell));
    double total = 0;
    double sum = 0;
    for (std::size_t b = 0; b < bins_; ++b) {
      const double weight = std::exp(at(side * bins_ + b, cell) - most);
      total += weight;
      sum += weight * static_cast<double>(b);
    }
    return sum / total;
  }

  std::vector<GridCell> grid_;
  std::size_t bins_;
  std::vector<double> values_;
};

/// A cell that a box has taken.
struct Claim {
  std::size_t cell = 0;
  std::size_t box = 0;
  double metric = 0;
  double overlap = 0;
};

std::vector<Claim> claimsOf(const CellReader& cells, const BoxTarget& target, std::size_t box,
                            const DualTask& task, std::size_t top) {
  const Corners truth = cornersOf(target, task);
  std::vector<Claim> claims;
  for (std::size_t i = 0; i < cells.grid().size(); ++i) {
    const GridCell& cell = cells.grid()[i];
    if (cell.x <= truth.x1 || cell.x >= truth.x2 || cell.y <= truth.y1 || cell.y >= truth.y2) {
      continue;
    }
    const double shared = overlap(cells.box(i), truth);
    const double metric =
        std::pow(cells.score(i, target.label), task.alpha) * std::pow(shared, task.beta);
    claims.push_back({i, box, metric, shared});
  }
  std::stable_sort(claims.begin(), claims.end(),
                   [](const Claim& a, const Claim& b) { return a.metric > b.metric; });
  if (claims.size() > top) claims.resize(top);
  return claims;
}

}  // namespace

double TaskAlignment::targetSum() const {
  return std::accumulate(target.begin(), target.end(), 0.0);
}

Result<TaskAlignment> alignTask(TensorView cells, std::span<const std::vector<BoxTarget>> boxes,
                                const DualTask& task, std::size_t top) {
  NARROWS_CHECK(checkCells(cells.shape(), boxes, task));
  const std::size_t count = cellGrid(task).size();
  TaskAlignment alignment;
  alignment.box.assign(boxes.size() * count, -1);
  alignment.target.assign(boxes.size() * count, 0);
  for (std::size_t n = 0; n < boxes.size(); ++n) {
    const CellReader reader(cells, n, task);
    // Of each cell, the claim of the box that it overlaps most.
    std::vector<Claim> kept(count, Claim{0, 0, 0, -1});
    for (std::size_t b = 0; b < boxes[n].size(); ++b) {
      if (!(boxes[n][b].w > 0 && boxes[n][b].h > 0)) continue;
      for (const Claim& claim : claimsOf(reader, boxes[n][b], b, task, top)) {
        if (claim.overlap > kept[claim.cell].overlap) kept[claim.cell] = claim;
      }
    }
    std::vector<double> most_metric(boxes[n].size(), 0);
    std::vector<double> most_overlap(boxes[n].size(), 0);
    for (const Claim& claim : kept) {
      if (claim.overlap < 0) continue;
      most_metric[claim.box] = std::max(most_metric[claim.box], claim.metric);
      most_overlap[claim.box] = std::max(most_overlap[claim.box], claim.overlap);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const Claim& claim = kept[i];
      if (claim.overlap < 0) continue;
      alignment.box[n * count + i] = static_cast<int>(claim.box);
      alignment.target[n * count + i] =
          claim.metric * most_overlap[claim.box] / (most_metric[claim.box] + 1e-9);
    }
  }
  return alignment;
}

}  // namespace narrows
