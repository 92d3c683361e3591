#include "narrows/tensor/shape.h"

#include <fmt/ranges.h>

namespace narrows {

Shape::Shape(std::initializer_list<std::int64_t> extents) {
  auto created = create(std::span(extents.begin(), extents.size()));
  NARROWS_ASSERT(created.ok());
  *this = *created;
}

Result<Shape> Shape::create(std::span<const std::int64_t> extents) {
  if (extents.size() > kMaxRank) {
    return makeError("a tensor of rank {}, at most {} is supported", extents.size(), kMaxRank);
  }
  Shape shape;
  shape.rank_ = extents.size();
  std::int64_t product = 1;  // of the non-zero extents, so that a zero cannot hide an absurd one
  for (std::size_t axis = 0; axis < extents.size(); ++axis) {
    const std::int64_t extent = extents[axis];
    if (extent < 0) return makeError("extent {} of axis {} is negative", extent, axis);
    if (extent > 0 && product > kMaxElements / extent) {
      return makeError("shape [{}] has more than {} elements", fmt::join(extents, ", "),
                       kMaxElements);
    }
    if (extent > 0) product *= extent;
    shape.extents_[axis] = extent;
  }
  return shape;
}

std::int64_t Shape::elements() const {
  std::int64_t product = 1;
  for (std::int64_t extent : extents()) product *= extent;
  return product;
}

std::array<std::int64_t, Shape::kMaxRank> Shape::strides() const {
  std::array<std::int64_t, kMaxRank> strides{};
  std::int64_t step = 1;
  for (std::size_t axis = rank_; axis-- > 0;) {
    strides[axis] = step;
    step *= extents_[axis];
  }
  return strides;
}

std::string toString(const Shape& shape) {
  if (shape.rank() == 0) return "scalar";
  return fmt::format("{}", fmt::join(shape.extents(), "x"));
}

Result<std::size_t> normalizeAxis(std::int64_t axis, std::size_t rank) {
  const auto signed_rank = static_cast<std::int64_t>(rank);
  if (axis < -signed_rank || axis >= signed_rank) {
    return makeError("axis {} of a tensor of rank {}", axis, rank);
  }
  return static_cast<std::size_t>(axis < 0 ? axis + signed_rank : axis);
}

Result<Shape> broadcast(const Shape& a, const Shape& b) {
  const std::size_t rank = std::max(a.rank(), b.rank());
  std::array<std::int64_t, Shape::kMaxRank> extents{};
  for (std::size_t back = 1; back <= rank; ++back) {
    const std::int64_t left = back <= a.rank() ? a[a.rank() - back] : 1;
    const std::int64_t right = back <= b.rank() ? b[b.rank() - back] : 1;
    if (left != right && left != 1 && right != 1) {
      return makeError("shapes {} and {} do not broadcast", toString(a), toString(b));
    }
    extents[rank - back] = left == 1 ? right : left;
  }
  return Shape::create(std::span(extents.data(), rank));
}

}  // namespace narrows
