#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/graph/graph.h"

namespace narrows {

/// The nodes, in order, that compute `outputs` when `inputs` are given. Fails when an input of the
/// graph is needed that is not among `inputs`; the error names it.
Result<std::vector<NodeId>> nodesBetween(const Graph& graph, std::span<const ValueId> inputs,
                                         std::span<const ValueId> outputs);

/// The part of the graph that computes `outputs` from `inputs`, as a graph with exactly these
/// inputs and outputs in this order. Names of values and nodes are kept and constants shared; nodes
/// that only constants feed go with whoever reads them. A value in both lists passes through; a
/// given value that nothing reads stays an input. Fails as `nodesBetween` does, and when a list
/// holds a value twice or `outputs` is empty.
Result<Graph> extractPiece(const Graph& graph, std::span<const ValueId> inputs,
                           std::span<const ValueId> outputs, std::string_view name);

}  // namespace narrows
