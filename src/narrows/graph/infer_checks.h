#pragma once

#include <optional>
#include <span>
#include <vector>

#include "narrows/graph/infer.h"

/// What type inference of several operators asks of inputs.
namespace narrows {

using InferInputs = std::span<const std::optional<TensorType>>;
using InferTypes = std::vector<TensorType>;

constexpr std::int64_t kMaxWindow = std::int64_t{1} << 24;  // keeps every product below 2^63

inline Status expectInputs(InferInputs inputs, std::size_t least, std::size_t most) {
  if (inputs.size() < least || inputs.size() > most) {
    return makeError(
        "{} inputs, expected {}", inputs.size(),
        least == most ? fmt::format("{}", least) : fmt::format("{} to {}", least, most));
  }
  for (std::size_t i = 0; i < least; ++i) {
    if (!inputs[i]) return makeError("input {} is missing", i);
  }
  return {};
}

inline Status expectRank(const TensorType& type, std::size_t rank, std::string_view what) {
  if (type.shape.rank() != rank)
    return makeError("{} is {}, expected rank {}", what, toString(type.shape), rank);
  return {};
}

inline Status expectShape(const TensorType& type, const Shape& shape, std::string_view what) {
  if (type.shape != shape)
    return makeError("{} is {}, expected {}", what, toString(type.shape), toString(shape));
  return {};
}

inline Status expectSameDType(const TensorType& a, const TensorType& b) {
  if (a.dtype != b.dtype)
    return makeError("dtypes {} and {} differ", toString(a.dtype), toString(b.dtype));
  return {};
}

inline Status checkAxis(std::int64_t axis, const Shape& shape) {
  if (axis < 0 || axis >= static_cast<std::int64_t>(shape.rank())) {
    return makeError("axis {} of {}", axis, toString(shape));
  }
  return {};
}

inline Status expectPerAxis(const Ints& values, const Shape& shape, std::string_view what) {
  if (values.size() != shape.rank())
    return makeError("{} {} for a tensor of rank {}", values.size(), what, shape.rank());
  return {};
}

// Operators that pick elements (infer_pick.cpp).
Result<InferTypes> infer(const Gather& op, InferInputs inputs);
Result<InferTypes> infer(const GatherElements& op, InferInputs inputs);
Result<InferTypes> infer(const GatherNd& op, InferInputs inputs);
Result<InferTypes> infer(const ScatterElements& op, InferInputs inputs);
Result<InferTypes> infer(const ScatterNd& op, InferInputs inputs);
Result<InferTypes> infer(const TopK& op, InferInputs inputs);
Result<InferTypes> infer(const NonMaxSuppression& op, InferInputs inputs);

}  // namespace narrows
