#include <algorithm>

#include "narrows/graph/infer_checks.h"

namespace narrows {
namespace {

using Inputs = InferInputs;
using Types = InferTypes;

Status expectIndices(const TensorType& indices) {
  if (indices.dtype == DType::i64 || indices.dtype == DType::i32) return {};
  return makeError("indices are {}", toString(indices.dtype));
}

/// Indices that name, for each of their places, another place of `data` along `axis`.
Status checkAlongAxis(const TensorType& data, const TensorType& indices, std::int64_t axis) {
  NARROWS_CHECK(checkAxis(axis, data.shape));
  NARROWS_CHECK(expectIndices(indices));
  NARROWS_CHECK(expectRank(indices, data.shape.rank(), "the indices"));
  for (std::size_t i = 0; i < data.shape.rank(); ++i) {
    if (i != static_cast<std::size_t>(axis) && indices.shape[i] > data.shape[i]) {
      return makeError("indices {} reach beyond {}", toString(indices.shape), toString(data.shape));
    }
  }
  return {};
}

/// The extents of what rows of indices name behind `batch` shared axes of `data`.
Result<Ints> namedExtents(const TensorType& data, const TensorType& indices, std::int64_t batch) {
  NARROWS_CHECK(expectIndices(indices));
  const auto rank = static_cast<std::int64_t>(data.shape.rank());
  const auto index_rank = static_cast<std::int64_t>(indices.shape.rank());
  if (rank == 0 || index_rank == 0) return makeError("a scalar operand");
  if (batch < 0 || batch >= std::min(rank, index_rank))
    return makeError("{} batch axes of {}", batch, toString(data.shape));
  const std::int64_t named = indices.shape[static_cast<std::size_t>(index_rank - 1)];
  if (named < 1 || batch + named > rank) {
    return makeError("rows of {} indices for {}", named, toString(data.shape));
  }
  Ints extents;
  for (std::int64_t i = 0; i < index_rank - 1; ++i) {
    const auto axis = static_cast<std::size_t>(i);
    if (i < batch && indices.shape[axis] != data.shape[axis]) {
      return makeError("indices {} and {} differ on batch axis {}", toString(indices.shape),
                       toString(data.shape), i);
    }
    extents.push_back(indices.shape[axis]);
  }
  for (std::int64_t i = batch + named; i < rank; ++i)
    extents.push_back(data.shape[static_cast<std::size_t>(i)]);
  return extents;
}

bool isNumber(DType dtype) {
  return dtype != DType::boolean;
}

Status checkReduction(const TensorType& data, const TensorType& updates,
                      ScatterReduction reduction) {
  NARROWS_CHECK(expectSameDType(data, updates));
  if (reduction != ScatterReduction::none && !isNumber(data.dtype)) {
    return makeError("not defined for {}", toString(data.dtype));
  }
  return {};
}

}  // namespace

Result<Types> infer(const Gather& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 2, 2));
  const Shape& data = inputs[0]->shape;
  NARROWS_CHECK(checkAxis(op.axis, data));
  NARROWS_CHECK(expectIndices(*inputs[1]));
  Ints extents;
  for (std::size_t axis = 0; axis < data.rank(); ++axis) {
    if (axis != static_cast<std::size_t>(op.axis)) {
      extents.push_back(data[axis]);
      continue;
    }
    for (std::int64_t extent : inputs[1]->shape.extents()) extents.push_back(extent);
  }
  NARROWS_TRY(shape, Shape::create(extents));
  return Types{{inputs[0]->dtype, shape}};
}

Result<Types> infer(const GatherElements& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 2, 2));
  NARROWS_CHECK(checkAlongAxis(*inputs[0], *inputs[1], op.axis));
  return Types{{inputs[0]->dtype, inputs[1]->shape}};
}

Result<Types> infer(const GatherNd& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 2, 2));
  NARROWS_TRY(extents, namedExtents(*inputs[0], *inputs[1], op.batch_axes));
  NARROWS_TRY(shape, Shape::create(extents));
  return Types{{inputs[0]->dtype, shape}};
}

Result<Types> infer(const ScatterElements& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 3, 3));
  NARROWS_CHECK(checkAlongAxis(*inputs[0], *inputs[1], op.axis));
  NARROWS_CHECK(expectShape(*inputs[2], inputs[1]->shape, "updates"));
  NARROWS_CHECK(checkReduction(*inputs[0], *inputs[2], op.reduction));
  return Types{*inputs[0]};
}

Result<Types> infer(const ScatterNd& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 3, 3));
  NARROWS_TRY(extents, namedExtents(*inputs[0], *inputs[1], 0));
  NARROWS_TRY(shape, Shape::create(extents));
  NARROWS_CHECK(expectShape(*inputs[2], shape, "updates"));
  NARROWS_CHECK(checkReduction(*inputs[0], *inputs[2], op.reduction));
  return Types{*inputs[0]};
}

Result<Types> infer(const TopK& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 1, 1));
  const Shape& x = inputs[0]->shape;
  NARROWS_CHECK(checkAxis(op.axis, x));
  if (!isNumber(inputs[0]->dtype)) return makeError("not defined for boolean");
  const auto axis = static_cast<std::size_t>(op.axis);
  if (op.count < 0 || op.count > x[axis])
    return makeError("{} of {} elements along axis {}", op.count, x[axis], op.axis);
  Ints extents(x.extents().begin(), x.extents().end());
  extents[axis] = op.count;
  NARROWS_TRY(shape, Shape::create(extents));
  return Types{{inputs[0]->dtype, shape}, {DType::i64, shape}};
}

Result<Types> infer(const NonMaxSuppression& op, Inputs inputs) {
  NARROWS_CHECK(expectInputs(inputs, 2, 2));
  const Shape& boxes = inputs[0]->shape;
  const Shape& scores = inputs[1]->shape;
  for (const auto& input : inputs) {
    NARROWS_CHECK(expectRank(*input, 3, "an input"));
    if (input->dtype != DType::f32) return makeError("an input is {}", toString(input->dtype));
  }
  if (boxes[2] != 4 || boxes[0] != scores[0] || boxes[1] != scores[2])
    return makeError("boxes {} and scores {} do not fit", toString(boxes), toString(scores));
  if (op.most < 0 || !(op.overlap_threshold >= 0 && op.overlap_threshold <= 1))
    return makeError("at most {} boxes, overlap {}", op.most, op.overlap_threshold);
  // Bounded before it is multiplied: Shape's own bound is on the elements.
  const std::int64_t each = std::min(op.most, boxes[1]);
  NARROWS_TRY(all, Shape::create(std::array{scores[0], scores[1], each, std::int64_t{3}}));
  NARROWS_TRY(shape, Shape::create(std::array{all.elements() / 3, std::int64_t{3}}));
  return Types{{DType::i64, shape}};
}

}  // namespace narrows
