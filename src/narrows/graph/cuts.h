#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/graph/cost.h"
#include "narrows/graph/graph.h"
#include "narrows/graph/liveness.h"

namespace narrows {

/// A set of values whose removal separates the inputs of the graph from its outputs. The node side
/// computes them from the inputs, the server side computes the outputs from them; nothing that
/// depends on an input is computed on both sides. Constants never count.
struct Cut {
  /// What crosses, in topological order.
  std::vector<ValueId> values;
  /// Nodes of the two sides; nodes that only constants feed are counted where they are read.
  Cost before;
  Cost after;
  MemoryNeed memory_before;
  MemoryNeed memory_after;
  /// Set for a single value that holds the elements of an earlier value unchanged (a reshape of
  /// it): that value. Another name for the same cut.
  std::optional<ValueId> alias_of;
};

/// Elements that cross.
std::int64_t cutElements(const Graph& graph, const Cut& cut);
/// Bytes that cross when each element takes `bits` bits and each tensor is packed on its own.
std::size_t cutBytes(const Graph& graph, const Cut& cut, int bits);
/// Names of the values joined by "+".
std::string cutName(const Graph& graph, const Cut& cut);
/// Shapes of the values joined by " + ".
std::string joinedShapes(const Graph& graph, std::span<const ValueId> values);

/// Every cut of one tensor that leaves at least one node on each side, in topological order. One
/// scan over the nodes finds them.
std::vector<Cut> singleTensorCuts(const Graph& graph);

struct CutSearch {
  /// Most tensors that may cross; at least 1.
  std::size_t most_tensors = 2;
  /// Decisions of the search before it gives up; a million take some 50 ms.
  std::size_t step_limit = 20'000'000;
  /// Most cuts kept.
  std::size_t cut_limit = 10'000;
};

struct CutList {
  std::vector<Cut> cuts;
  /// False when a limit ended the search.
  bool complete = true;
};

/// Every cut of up to `most_tensors` tensors that leaves at least one node on each side, single
/// ones included, ordered by the last value that crosses, then by their number. Left out are sets
/// that hold all inputs of the graph that matter, and sets that hold the same elements twice (a
/// value and a reshape of it).
CutList multiTensorCuts(const Graph& graph, const CutSearch& search = {});

/// The cut at these values, in any order; fails when they do not separate the inputs from the
/// outputs, or when work would be done on both sides. The ends (the inputs, or the outputs) are
/// allowed.
Result<Cut> makeCut(const Graph& graph, std::vector<ValueId> values);
/// The same by names of values joined by "+"; a name that contains "+" itself is found too.
Result<Cut> findCut(const Graph& graph, std::string_view names);

}  // namespace narrows
