#pragma once

#include <array>

#include "narrows/tensor/shape.h"

/// Loops over tensors of any rank.
namespace narrows::reference {

/// Loop over `result` that reads N operands broadcast to it. Adjacent axes that every operand steps
/// through alike are one axis.
template <std::size_t N>
class BroadcastWalk {
 public:
  using Offsets = std::array<std::int64_t, N>;

  BroadcastWalk(const Shape& result, const std::array<Shape, N>& operands) {
    for (std::size_t axis = 0; axis < result.rank(); ++axis) {
      Offsets steps{};
      for (std::size_t i = 0; i < N; ++i) {
        const std::size_t missing = result.rank() - operands[i].rank();
        if (axis < missing || operands[i][axis - missing] == 1) continue;
        steps[i] = operands[i].strides()[axis - missing];
      }
      append(result[axis], steps);
    }
    if (rank_ == 0) append(1, Offsets{});
  }

  std::int64_t rowLength() const { return extents_[rank_ - 1]; }
  /// Distance of neighbours within a row, per operand.
  const Offsets& rowSteps() const { return steps_[rank_ - 1]; }

  /// Calls `row(result_offset, operand_offsets)` for every row of the innermost axis, in order.
  template <class Row>
  void forEachRow(Row&& row) const {
    for (std::size_t axis = 0; axis < rank_; ++axis) {
      if (extents_[axis] == 0) return;
    }
    std::array<std::int64_t, Shape::kMaxRank> index{};
    Offsets offsets{};
    std::int64_t result = 0;
    while (true) {
      row(result, static_cast<const Offsets&>(offsets));
      result += rowLength();
      std::size_t axis = rank_ - 1;
      while (true) {
        if (axis == 0) return;
        --axis;
        ++index[axis];
        for (std::size_t i = 0; i < N; ++i) offsets[i] += steps_[axis][i];
        if (index[axis] < extents_[axis]) break;
        for (std::size_t i = 0; i < N; ++i) offsets[i] -= steps_[axis][i] * extents_[axis];
        index[axis] = 0;
      }
    }
  }

 private:
  void append(std::int64_t extent, const Offsets& steps) {
    if (extent == 1 && rank_ > 0) return;
    if (rank_ > 0) {
      bool joins = true;
      for (std::size_t i = 0; i < N; ++i) joins &= steps_[rank_ - 1][i] == steps[i] * extent;
      if (joins) {
        extents_[rank_ - 1] *= extent;
        steps_[rank_ - 1] = steps;
        return;
      }
    }
    extents_[rank_] = extent;
    steps_[rank_] = steps;
    ++rank_;
  }

  std::array<std::int64_t, Shape::kMaxRank> extents_{};
  std::array<Offsets, Shape::kMaxRank> steps_{};
  std::size_t rank_ = 0;
};

/// Loop over some axes of a tensor.
class AxisWalk {
 public:
  /// Outermost first; at most Shape::kMaxRank.
  void append(std::int64_t extent, std::int64_t step) {
    NARROWS_ASSERT(rank_ < Shape::kMaxRank);
    extents_[rank_] = extent;
    steps_[rank_] = step;
    ++rank_;
  }

  std::int64_t count() const {
    std::int64_t product = 1;
    for (std::size_t axis = 0; axis < rank_; ++axis) product *= extents_[axis];
    return product;
  }

  /// Calls `body(offset)` for every index, in order; once when there is no axis.
  template <class Body>
  void forEach(Body&& body) const {
    const std::int64_t total = count();
    std::array<std::int64_t, Shape::kMaxRank> index{};
    std::int64_t offset = 0;
    for (std::int64_t i = 0; i < total; ++i) {
      body(offset);
      for (std::size_t axis = rank_; axis-- > 0;) {
        offset += steps_[axis];
        if (++index[axis] < extents_[axis]) break;
        offset -= steps_[axis] * extents_[axis];
        index[axis] = 0;
      }
    }
  }

 private:
  std::array<std::int64_t, Shape::kMaxRank> extents_{};
  std::array<std::int64_t, Shape::kMaxRank> steps_{};
  std::size_t rank_ = 0;
};

}  // namespace narrows::reference
