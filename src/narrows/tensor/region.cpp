#include "narrows/tensor/region.h"

#include <cstring>

namespace narrows {

Region Region::whole(const Shape& shape) {
  Region region;
  region.rank_ = shape.rank();
  for (std::size_t axis = 0; axis < shape.rank(); ++axis)
    region.intervals_[axis] = {0, shape[axis]};
  return region;
}

Result<Region> Region::create(std::span<const Interval> intervals) {
  if (intervals.size() > Shape::kMaxRank) return makeError("a region of rank {}", intervals.size());
  Region region;
  region.rank_ = intervals.size();
  for (std::size_t axis = 0; axis < intervals.size(); ++axis) {
    const Interval& interval = intervals[axis];
    if (interval.begin < 0 || interval.end < interval.begin) {
      return makeError("interval [{}, {}) of axis {}", interval.begin, interval.end, axis);
    }
    region.intervals_[axis] = interval;
  }
  return region;
}

Shape Region::shape() const {
  std::array<std::int64_t, Shape::kMaxRank> extents{};
  for (std::size_t axis = 0; axis < rank_; ++axis) extents[axis] = intervals_[axis].length();
  auto shape = Shape::create(std::span(extents.data(), rank_));
  NARROWS_ASSERT(shape.ok());
  return *shape;
}

bool Region::fits(const Shape& shape) const {
  if (shape.rank() != rank_) return false;
  for (std::size_t axis = 0; axis < rank_; ++axis) {
    if (intervals_[axis].end > shape[axis]) return false;
  }
  return true;
}

Region Region::intersection(const Region& other) const {
  NARROWS_ASSERT(rank_ == other.rank_);
  Region result;
  result.rank_ = rank_;
  for (std::size_t axis = 0; axis < rank_; ++axis) {
    const std::int64_t begin = std::max(intervals_[axis].begin, other.intervals_[axis].begin);
    const std::int64_t end = std::min(intervals_[axis].end, other.intervals_[axis].end);
    result.intervals_[axis] = {begin, std::max(begin, end)};
  }
  return result;
}

Region Region::hull(const Region& other) const {
  NARROWS_ASSERT(rank_ == other.rank_);
  Region result;
  result.rank_ = rank_;
  for (std::size_t axis = 0; axis < rank_; ++axis) {
    result.intervals_[axis] = {std::min(intervals_[axis].begin, other.intervals_[axis].begin),
                               std::max(intervals_[axis].end, other.intervals_[axis].end)};
  }
  return result;
}

bool Region::contains(const Region& other) const {
  return intersection(other) == other;
}

Region Region::with(std::size_t axis, Interval interval) const {
  NARROWS_ASSERT(axis < rank_ && interval.begin >= 0 && interval.begin <= interval.end);
  Region result = *this;
  result.intervals_[axis] = interval;
  return result;
}

std::string toString(const Region& region) {
  std::string text = "[";
  for (std::size_t axis = 0; axis < region.rank(); ++axis) {
    text += fmt::format("{}{}:{}", axis == 0 ? "" : ", ", region[axis].begin, region[axis].end);
  }
  return text + "]";
}

void copyRegion(TensorView source, const Region& from, MutableTensorView target, const Region& to) {
  NARROWS_ASSERT(source.dtype() == target.dtype() && from.shape() == to.shape());
  NARROWS_ASSERT(from.fits(source.shape()) && to.fits(target.shape()));
  if (from.empty()) return;
  const std::size_t rank = from.rank();
  const std::size_t element = byteSize(source.dtype());
  const auto source_strides = source.shape().strides();
  const auto target_strides = target.shape().strides();
  // Rows along the last axis are contiguous on both sides; the rest is an odometer.
  const std::int64_t row = rank == 0 ? 1 : from[rank - 1].length();
  std::array<std::int64_t, Shape::kMaxRank> index{};
  for (;;) {
    std::int64_t source_offset = 0;
    std::int64_t target_offset = 0;
    for (std::size_t axis = 0; axis < rank; ++axis) {
      source_offset += (from[axis].begin + index[axis]) * source_strides[axis];
      target_offset += (to[axis].begin + index[axis]) * target_strides[axis];
    }
    std::memcpy(target.bytes().data() + static_cast<std::size_t>(target_offset) * element,
                source.bytes().data() + static_cast<std::size_t>(source_offset) * element,
                static_cast<std::size_t>(row) * element);
    std::size_t axis = rank == 0 ? 0 : rank - 1;
    for (;;) {
      if (axis == 0) return;
      --axis;
      if (++index[axis] < from[axis].length()) break;
      index[axis] = 0;
    }
  }
}

}  // namespace narrows
