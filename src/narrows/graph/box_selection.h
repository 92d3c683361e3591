#pragma once

#include <cstdint>
#include <span>

#include "narrows/graph/ops.h"
#include "narrows/tensor/tensor.h"

namespace narrows {

/// Fills `rows` with what NonMaxSuppression picks of boxes (N,B,4) and scores (N,K,B), three
/// numbers a row, and returns the count of rows; the rest of `rows`, which has the operator's full
/// size, is left. Allocates nothing.
std::int64_t selectBoxes(const NonMaxSuppression& op, TensorView boxes, TensorView scores,
                         std::span<std::int64_t> rows);

}  // namespace narrows
