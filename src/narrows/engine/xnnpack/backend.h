#pragma once

#include <memory>

#include "narrows/engine/executor/backend.h"

namespace narrows::xnnpack {

/// Kernels of XNNPACK on this CPU.
Result<std::unique_ptr<executor::Backend>> makeBackend();

}  // namespace narrows::xnnpack
