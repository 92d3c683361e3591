#pragma once

#include <optional>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/graph/graph.h"
#include "narrows/tensor/region.h"

/// Region arithmetic: which boxes of its inputs a node reads for a box of an output.
namespace narrows {

/// What computing a box of one output of a node takes.
struct NodeNeed {
  /// What `op` makes of the boxes of the inputs: the box that was asked for, or a larger one where
  /// the operator works in whole blocks (a group of filters, an axis that it folds, the steps of an
  /// upsampling).
  Region produced;
  /// The node's operator with the padding that the boxes still lack and the sizes they have. It has
  /// one output; a split becomes an identity.
  Op op;
  /// The smallest box of each input that `produced` depends on, constants included; nothing where
  /// an input is absent or not read at all. A concatenation reads the inputs that have a box only.
  std::vector<std::optional<Region>> inputs;
};

/// Exact for stride, dilation, groups, asymmetric padding, ceil mode, overlapping windows,
/// upsampling by whole factors, broadcasting, concatenation, split, slicing and padding. Axes that
/// an operator mixes freely (softmax along its axis, reductions, resampling by fractions, reshapes
/// that regroup) are needed whole. Results equal those boxes of the whole node bit for bit where
/// the engine sums in a fixed order. Fails for a box that is empty or does not lie in the output.
Result<NodeNeed> needFor(const Graph& graph, NodeId node, std::size_t output, const Region& box);

}  // namespace narrows
