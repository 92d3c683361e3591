#pragma once

#include <memory>

#include "narrows/engine/engine.h"
#include "narrows/engine/executor/backend.h"

namespace narrows::executor {

/// The fast engine over a backend, whose name it takes. Maps are kept N,H,W,C in one planned arena.
std::unique_ptr<Engine> makeExecutor(std::unique_ptr<Backend> backend);

}  // namespace narrows::executor
