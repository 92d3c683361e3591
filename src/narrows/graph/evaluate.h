#pragma once

#include <optional>
#include <span>
#include <vector>

#include "narrows/graph/ops.h"
#include "narrows/tensor/tensor.h"

namespace narrows {

/// The outputs of an operator on known inputs, for folding constants: everything that moves or
/// casts elements, and elementwise arithmetic on f32, i64 and i32 whose result every machine rounds
/// alike. Nothing when the operator or dtype is not among these, the inputs do not fit it, or data
/// makes it fail (an index out of range, an integer division by zero). An absent optional input is
/// a nullptr.
std::optional<std::vector<Tensor>> evaluateConstant(const Op& op,
                                                    std::span<const Tensor* const> inputs);

}  // namespace narrows
