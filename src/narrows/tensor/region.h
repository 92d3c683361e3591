#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "narrows/base/result.h"
#include "narrows/tensor/tensor.h"

namespace narrows {

/// A half-open box of a tensor: along each axis the elements [begin, end).
class Region {
 public:
  struct Interval {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::int64_t length() const { return end - begin; }
    friend bool operator==(const Interval&, const Interval&) = default;
  };

  /// The one element of a rank-0 tensor.
  Region() = default;
  /// All of a tensor.
  static Region whole(const Shape& shape);
  /// Fails unless 0 <= begin <= end on each axis and rank is at most Shape::kMaxRank.
  static Result<Region> create(std::span<const Interval> intervals);

  std::size_t rank() const { return rank_; }
  const Interval& operator[](std::size_t axis) const {
    NARROWS_ASSERT(axis < rank_);
    return intervals_[axis];
  }
  std::span<const Interval> intervals() const { return {intervals_.data(), rank_}; }
  Shape shape() const;
  std::int64_t elements() const { return shape().elements(); }
  bool empty() const { return elements() == 0; }
  /// Whether every element of this box lies in a tensor of this shape.
  bool fits(const Shape& shape) const;
  Region intersection(const Region& other) const;
  /// The smallest box that holds both; they have one rank.
  Region hull(const Region& other) const;
  /// Whether all of `other`, of the same rank, lies in this box.
  bool contains(const Region& other) const;
  /// The box with another interval along `axis`; asserts what `create` checks.
  Region with(std::size_t axis, Interval interval) const;

  friend bool operator==(const Region& a, const Region& b) {
    return std::equal(a.intervals().begin(), a.intervals().end(), b.intervals().begin(),
                      b.intervals().end());
  }

 private:
  std::array<Interval, Shape::kMaxRank> intervals_{};
  std::size_t rank_ = 0;
};

/// "[0:1, 0:16, 3:9, 0:26]".
std::string toString(const Region& region);

/// Copies box `from` of `source` over box `to` of `target`. Both boxes have one shape, fit their
/// tensors, and the dtypes are equal; asserted.
void copyRegion(TensorView source, const Region& from, MutableTensorView target, const Region& to);

}  // namespace narrows
