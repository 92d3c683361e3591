#pragma once

#include <CLI/CLI.hpp>
#include <span>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/graph/cuts.h"

namespace narrows {

/// --cut and --tensors, for commands that take many cuts at once.
void addCutOptions(CLI::App& app, std::vector<std::string>& cuts, std::size_t& tensors);

/// Cuts of up to `tensors` tensors.
CutList listCuts(const Graph& graph, std::size_t tensors);

/// The cuts that are named; all of `listCuts` but aliases when there are no names. A wrong name is
/// an error that shows the nearest ones.
Result<std::vector<Cut>> chooseCuts(const Graph& graph, std::span<const std::string> names,
                                    std::size_t tensors);

/// Cuts after about 1/(n+1), 2/(n+1), ... of the MACs; of those with the same MACs before them the
/// last, which lies behind what is computed together.
std::vector<Cut> spreadCuts(const Graph& graph, std::size_t count);

/// The graph's text form.
std::string modelText(const Graph& graph);

}  // namespace narrows
