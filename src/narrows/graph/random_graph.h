#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "narrows/graph/graph.h"

/// Random graphs for property tests; part of the target narrows_graph_random.
namespace narrows {

struct RandomGraphOptions {
  std::size_t nodes = 12;
  std::size_t inputs = 1;
  /// Percentage of values without a reader that are left unused instead of becoming outputs.
  std::uint32_t percent_unused = 10;
  /// Batch normalisation, padding, resampling, transposed convolution and the like are in as well;
  /// otherwise convolution, activation, pooling, addition, concatenation, split and reshape only.
  bool all_operators = true;
};

/// A graph of small maps, the same for the same seed on every machine. It has parallel branches,
/// skips and several outputs.
Graph randomGraph(std::uint32_t seed, const RandomGraphOptions& options = {});

/// Elements uniform in [-1, 1).
Tensor randomTensor(const TensorType& type, std::uint32_t seed);

/// One random tensor for each input of the graph.
std::vector<Tensor> randomInputs(const Graph& graph, std::uint32_t seed);

}  // namespace narrows
