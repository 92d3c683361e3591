#pragma once

#include <cstddef>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/plan/plan.h"
#include "narrows/vision/description.h"

namespace narrows {

/// The model's outputs that the head reads, in the description's order; the plan's order when it
/// names none.
Result<std::vector<std::size_t>> headOutputs(const Plan& plan, const Head& head);

}  // namespace narrows
