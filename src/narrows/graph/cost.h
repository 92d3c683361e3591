#pragma once

#include <cstdint>
#include <span>

#include "narrows/graph/graph.h"

namespace narrows {

/// Counts, saturating at the largest 64-bit number.
struct Cost {
  /// Multiply-accumulates of convolutions and matrix products, the published convention: biases,
  /// normalisation, activations, pooling and resampling count nothing.
  std::int64_t macs = 0;
  /// Elements of the floating-point constants that are read, each tensor once; neither statistics
  /// of a batch normalisation nor single numbers in arithmetic (a scale, the 6 of a hard swish).
  std::int64_t parameters = 0;
  /// Elements of the outputs of nodes.
  std::int64_t activations = 0;
};

/// Multiply-accumulates of one node. Conv2d: N O H' W' kh kw C/G. ConvTranspose2d: N C H W kh kw
/// O/G. Gemm and MatMul: M N K times the batch.
std::int64_t macs(const Graph& graph, NodeId id);
Cost cost(const Graph& graph, NodeId node);
/// Of all these nodes together; a constant that several read counts once.
Cost cost(const Graph& graph, std::span<const NodeId> nodes);
Cost cost(const Graph& graph);

}  // namespace narrows
