#pragma once

#include <cstdint>
#include <vector>

#include "narrows/graph/graph.h"

namespace narrows {

/// A layer whose weights can be spread over devices, as Stahl et al. (SAMOS 2019) see it.
struct SlicedLayer {
  /// Elements: M_l, K_l, Q_l of the paper.
  std::int64_t input = 0;
  std::int64_t output = 0;
  std::int64_t weights = 0;
  /// Its input is what the layer before makes, with nothing but elementwise operators between, and
  /// nobody else reads that: the two can be fused, and slices can stay where they are.
  bool follows = false;
  /// Invalid for a layer that is described by its sizes alone.
  NodeId node;
};

/// The convolutions of a network, in order; with `dense` the matrix products that can be sliced as
/// well. Input and output are whole maps, weights leave biases out.
std::vector<SlicedLayer> slicedLayers(const Graph& graph, bool dense = false);

}  // namespace narrows
