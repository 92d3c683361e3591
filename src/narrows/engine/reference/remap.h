#pragma once

#include <vector>

#include "narrows/engine/reference/kernel.h"

namespace narrows::reference {

/// A table that says for each position along one output axis how far into the input it reads, in
/// elements, or kFill.
using AxisMap = std::vector<std::int64_t>;
constexpr std::int64_t kFill = -1;

/// The kernel of every operator that only moves elements and treats each axis of its output alone:
/// element (i, j, ...) of the output is element maps[0][i] + maps[1][j] + ... of the input, or
/// `fill` (of the input's dtype) when any of them is kFill. One map for each axis of the output.
Kernel remap(DType dtype, std::vector<AxisMap> maps, double fill = 0);

}  // namespace narrows::reference
