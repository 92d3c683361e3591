#pragma once

#include <memory>

#include "narrows/engine/engine.h"
#include "narrows/engine/executor/backend.h"
#include "narrows/engine/executor/kernels/table.h"

namespace narrows::executor {

/// The fast engine over a backend, whose name it takes, and the executor's own kernels for one
/// instruction set of this CPU. Maps are kept N,H,W,C in one planned arena.
std::unique_ptr<Engine> makeExecutor(std::unique_ptr<Backend> backend,
                                     const KernelTable& kernels = *kernelTables()[0]);

}  // namespace narrows::executor
