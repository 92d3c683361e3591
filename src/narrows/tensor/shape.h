#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "narrows/base/result.h"

namespace narrows {

/// Extents of a tensor, outermost first; rank 0 to 6. Maps are N, C, H, W.
class Shape {
 public:
  static constexpr std::size_t kMaxRank = 6;
  /// Largest element count that `create` accepts, so that byte counts of any dtype fit in 63 bits
  /// and a lying file cannot ask for more than any machine has.
  static constexpr std::int64_t kMaxElements = std::int64_t{1} << 40;

  /// Rank 0: one element.
  Shape() = default;
  /// For extents known to be valid; asserts what `create` checks.
  Shape(std::initializer_list<std::int64_t> extents);

  /// Fails on a rank above 6, a negative extent, or more than kMaxElements elements.
  static Result<Shape> create(std::span<const std::int64_t> extents);

  std::size_t rank() const { return rank_; }
  std::int64_t operator[](std::size_t axis) const {
    NARROWS_ASSERT(axis < rank_);
    return extents_[axis];
  }
  std::span<const std::int64_t> extents() const { return {extents_.data(), rank_}; }
  std::int64_t elements() const;
  /// Row-major strides in elements.
  std::array<std::int64_t, kMaxRank> strides() const;

  friend bool operator==(const Shape& a, const Shape& b) {
    return std::equal(a.extents().begin(), a.extents().end(), b.extents().begin(),
                      b.extents().end());
  }

 private:
  std::array<std::int64_t, kMaxRank> extents_{};
  std::size_t rank_ = 0;
};

/// "1x3x416x416"; "scalar" for rank 0.
std::string toString(const Shape& shape);

/// The axis that `axis` names in a tensor of `rank`, negative ones counted from the end.
Result<std::size_t> normalizeAxis(std::int64_t axis, std::size_t rank);

/// Shape of an elementwise operation on `a` and `b` under NumPy's broadcasting rule.
Result<Shape> broadcast(const Shape& a, const Shape& b);

}  // namespace narrows
