#pragma once

#include <array>

#include "narrows/torch/aten.h"

namespace narrows::torched {

/// 1 - CIoU of boxes given as columns of centre x, centre y, width and height (Zheng et al. 2020,
/// equations 9 to 12), with the derivative of the factor alpha too.
at::Tensor ciouLoss(const std::array<at::Tensor, 4>& p, const std::array<at::Tensor, 4>& t);

}  // namespace narrows::torched
