#pragma once

#include <memory>

#include "narrows/engine/executor/backend.h"

namespace narrows::onednn {

/// Kernels of oneDNN on this CPU.
Result<std::unique_ptr<executor::Backend>> makeBackend();

}  // namespace narrows::onednn
