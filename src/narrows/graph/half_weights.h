#pragma once

#include "narrows/base/result.h"
#include "narrows/graph/graph.h"

namespace narrows {

/// Elements up to which a constant is not worth halving.
inline constexpr std::int64_t kSmallWeights = 64;

/// The graph with its f32 weights (constants of rank 2 and more with over `kSmallWeights` elements)
/// held as f16, rounded to nearest, ties to even, and cast back to f32 where they are read; scales,
/// biases and statistics stay. Weights that have come from f16 keep their values. Those with a
/// value that f16 cannot hold (from 65520 on) stay f32.
Result<Graph> halveWeights(const Graph& graph);

}  // namespace narrows
