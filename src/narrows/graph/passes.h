#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/graph/graph.h"

namespace narrows {

/// A rewrite of a graph into an equivalent one with the same inputs, and outputs of the same names.
struct Pass {
  std::string_view name;
  std::string_view summary;
  Result<Graph> (*run)(const Graph& graph);
};

/// The passes of `simplify`, in order.
std::span<const Pass> simplifyPasses();

struct SimplifyOptions {
  /// Names of passes to leave out; an unknown one is an error.
  std::vector<std::string> without;
};

/// What one pass did, summed over all rounds.
struct PassReport {
  std::string_view name;
  std::ptrdiff_t nodes_removed = 0;
  Seconds time;
};

/// Runs the passes in order, again and again until none changes the graph, and verifies the graph
/// after each. Results stay within float rounding: only folding of normalisation and constants
/// changes the order of arithmetic. `report`, when not null, gets one entry for each pass.
Result<Graph> simplify(const Graph& graph, const SimplifyOptions& options = {},
                       std::vector<PassReport>* report = nullptr);

}  // namespace narrows
