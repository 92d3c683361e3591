#include "narrows/graph/box_selection.h"

#include <algorithm>

namespace narrows {
namespace {

/// Corners in order.
struct Corners {
  float top, left, bottom, right;
};

Corners cornersOf(const float* box, bool centred) {
  if (centred) {
    return {box[1] - box[3] / 2, box[0] - box[2] / 2, box[1] + box[3] / 2, box[0] + box[2] / 2};
  }
  return {std::min(box[0], box[2]), std::min(box[1], box[3]), std::max(box[0], box[2]),
          std::max(box[1], box[3])};
}

float areaOf(const Corners& box) {
  return (box.bottom - box.top) * (box.right - box.left);
}

float overlap(const Corners& a, const Corners& b) {
  const float height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  const float width = std::min(a.right, b.right) - std::max(a.left, b.left);
  if (height <= 0 || width <= 0) return 0;
  const float shared = height * width;
  return shared / (areaOf(a) + areaOf(b) - shared);
}

/// The best box behind box `last` in the order of falling scores, of equal ones by index; -1 when
/// none is above the threshold. `last` is -1 at first.
std::int64_t nextBest(std::span<const float> scores, double threshold, std::int64_t last) {
  std::int64_t best = -1;
  const auto at = [&](std::int64_t i) { return scores[static_cast<std::size_t>(i)]; };
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(scores.size()); ++i) {
    if (!(static_cast<double>(at(i)) > threshold)) continue;
    const bool behind = last < 0 || at(i) < at(last) || (at(i) == at(last) && i > last);
    if (behind && (best < 0 || at(i) > at(best))) best = i;
  }
  return best;
}

}  // namespace

std::int64_t selectBoxes(const NonMaxSuppression& op, TensorView boxes, TensorView scores,
                         std::span<std::int64_t> rows) {
  const std::int64_t count = boxes.shape()[1];
  const std::int64_t classes = scores.shape()[1];
  const float* corner = boxes.as<float>().data();
  std::int64_t found = 0;
  for (std::int64_t image = 0; image < scores.shape()[0]; ++image) {
    const auto box = [&](std::int64_t i) {
      return cornersOf(corner + (image * count + i) * 4, op.centred);
    };
    for (std::int64_t k = 0; k < classes; ++k) {
      const auto of_class = scores.as<float>().subspan(
          static_cast<std::size_t>((image * classes + k) * count), static_cast<std::size_t>(count));
      const std::int64_t first = found;
      std::int64_t candidate = -1;
      while (found - first < std::min(op.most, count)) {
        candidate = nextBest(of_class, op.score_threshold, candidate);
        if (candidate < 0) break;
        bool apart = true;
        for (std::int64_t row = first; apart && row < found; ++row) {
          const std::int64_t chosen = rows[static_cast<std::size_t>(3 * row + 2)];
          apart =
              !(static_cast<double>(overlap(box(candidate), box(chosen))) > op.overlap_threshold);
        }
        if (!apart) continue;
        const std::array<std::int64_t, 3> row{image, k, candidate};
        std::copy(row.begin(), row.end(), rows.begin() + 3 * found);
        ++found;
      }
    }
  }
  return found;
}

}  // namespace narrows
