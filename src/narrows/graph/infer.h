#pragma once

#include <optional>
#include <span>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/graph/ops.h"
#include "narrows/tensor/tensor.h"

namespace narrows {

/// Types of the outputs of `op`. Checks the count, ranks, shapes and dtypes of the inputs and every
/// attribute (kernels and strides positive, groups dividing channels, axes in range). An absent
/// optional input is nullopt.
Result<std::vector<TensorType>> inferTypes(const Op& op,
                                           std::span<const std::optional<TensorType>> inputs);

/// Output extent of a convolution or pool along one axis; see Conv2d. Fails when the window does
/// not fit once.
Result<std::int64_t> windowOutput(std::int64_t input, std::int64_t kernel, std::int64_t stride,
                                  std::int64_t dilation, std::int64_t pad_begin,
                                  std::int64_t pad_end, bool ceil = false);

}  // namespace narrows
