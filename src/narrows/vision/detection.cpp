#include "narrows/vision/detection.h"

#include <algorithm>

namespace narrows {

float intersectionOverUnion(const Box& a, const Box& b) {
  const Box common{std::max(a.x1, b.x1), std::max(a.y1, b.y1), std::min(a.x2, b.x2),
                   std::min(a.y2, b.y2)};
  const float shared = common.area();
  const float all = a.area() + b.area() - shared;
  return all > 0 ? shared / all : 0.0F;
}

}  // namespace narrows
