#pragma once

#include <cstddef>

#include "narrows/engine/engine.h"

namespace narrows {

/// Bytes that the graph's program takes while it runs with streamed weights: arena, work space, and
/// what of the weights is there, in the file's pages and packed. Inputs, outputs and what is
/// fetched ahead are left out.
Result<std::size_t> streamedMemory(const Engine& engine, const Graph& graph);

}  // namespace narrows
