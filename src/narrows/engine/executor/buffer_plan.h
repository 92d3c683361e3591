#pragma once

#include <span>

#include "narrows/engine/executor/program_parts.h"
#include "narrows/graph/liveness.h"

namespace narrows::executor {

/// Places the used buffers of the arena; the others take nothing. The result of a step that
/// overwrites lies where its source was when that step is the last to use the source and the first
/// to use the result.
ArenaPlan planBuffers(std::span<const Buffer> buffers, std::span<const Overwrite> overwrites);

}  // namespace narrows::executor
