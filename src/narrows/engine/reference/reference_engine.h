#pragma once

#include <memory>

#include "narrows/engine/engine.h"

namespace narrows {

/// The engine that defines correctness: each node by its plain-loop kernel, in order, on one
/// thread. The same inputs give the same bits, and so does any piece of a graph: what a kernel
/// computes for one element depends on nothing but what that element is defined by.
std::unique_ptr<Engine> makeReferenceEngine();

}  // namespace narrows
