#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/graph/graph.h"
#include "narrows/tensor/region.h"

/// Parts of a network that compute boxes of its values: tiles, filter slices, channel slices.
namespace narrows {

struct ValueBox {
  ValueId value;
  Region box;
  friend bool operator==(const ValueBox&, const ValueBox&) = default;
};

/// A layer that sums over the channels of its input, so that slices of those give partial sums.
struct SummedLayer {
  NodeId node;
  /// What is sliced, and along which axis.
  ValueId input;
  std::size_t axis = 1;
  /// The layer's result, and what is added to it once all partial sums are: invalid without.
  ValueId output;
  ValueId bias;
};

/// The layer as such: a convolution of one group, a Gemm with a constant matrix and beta 1, or a
/// product with a constant matrix. Nothing for every other node.
std::optional<SummedLayer> summedLayer(const Graph& graph, NodeId node);

/// A partial sum: the layer over some channels of its input, without its bias.
struct PartialSum {
  SummedLayer layer;
  Region::Interval channels;
};

/// What a part computes and from what.
struct PartRequest {
  /// Values that are at hand; the part computes nothing before them.
  std::span<const ValueId> given;
  std::span<const ValueBox> wanted;
  /// One more output, after those wanted.
  std::optional<PartialSum> partial;
  /// Given values that come as the sum of partial sums: what is added to them here, once.
  std::span<const SummedLayer> summed;
};

struct Part {
  Graph graph;
  /// The boxes that the part takes, in the order of the graph's inputs.
  std::vector<ValueBox> inputs;
};

/// The graph that computes these boxes. It holds only the elements of constants that it reads, the
/// names of nodes and values are the network's, and each input is the smallest box of a given value
/// that is read (`needFor`). A wanted box that is given passes through an identity. Fails when an
/// input of the network is needed and not given, and when nothing is wanted.
Result<Part> extractPart(const Graph& graph, const PartRequest& request, std::string_view name);

}  // namespace narrows
