#pragma once

#include <cstddef>

#include "narrows/engine/engine.h"

namespace narrows {

/// How a program is run whose weights are streamed; see `SequenceOptions`.
struct StreamedRun {
  std::size_t threads = 1;
  std::size_t window = 0;  // bytes
};

/// Bytes that the graph's program takes while it runs with streamed weights: arena, work space with
/// what is packed, and what a block of weights takes that is larger than the window. Inputs,
/// outputs and the window are left out.
Result<std::size_t> streamedMemory(const Engine& engine, const Graph& graph,
                                   const StreamedRun& how);

}  // namespace narrows
