#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "narrows/cli/design_timeline.h"
#include "narrows/cli/regime_table.h"
#include "narrows/cli/sensitivity.h"
#include "narrows/cli/split_recipe.h"
#include "narrows/cli/table.h"
#include "narrows/cost/split_pricer.h"
#include "narrows/eval/sweep.h"
#include "narrows/explore/explorer.h"
#include "narrows/explore/halving.h"

namespace narrows {

/// A place to cut, counted.
struct CutFacts {
  std::string name;
  std::string shape;
  std::int64_t node_macs = 0;
  std::int64_t elements = 0;
  std::int64_t server_macs = 0;
};

/// A finished `explore`, ready to print.
struct ExplorationDocument {
  std::string model;
  bool untrained = false;
  std::string data;
  std::string calibration;
  std::string store;
  std::uint64_t seed = 0;
  std::size_t coded_pictures = 0;
  SweepBaseline baseline;
  ExploreOptions options;
  DesignSpace space;
  /// Names of the profiles.
  std::string node;
  std::string server;
  /// Whether the node's power is known; energies say nothing without it.
  bool energy_known = true;
  std::vector<std::string> links;
  std::vector<CutFacts> cuts;
  std::vector<EndDesign> ends;
  Exploration exploration;
  /// By design, as in the exploration.
  std::vector<SplitRecipe> recipes;
  /// Of designs that could enter the Pareto set; among the ends are those that they made.
  std::vector<Trial> trials;
  /// Weights of the objectives of the goal that was asked for; none: each objective on its own.
  std::vector<std::pair<Objective, double>> goal;
  /// With the names of their designs, when they were asked for.
  std::vector<RegimeMap> regimes;
  std::vector<std::string> regime_labels;
  std::vector<Sensitivity> sensitivities;
  /// Of the Pareto set.
  std::vector<DesignTimeline> timelines;
  Seconds elapsed;
};

/// Beginning of the SHA-256 of a recipe's text, with the link where there is one: the same design
/// has the same id in every run.
std::string designId(const SplitRecipe& recipe, const std::string& link);

/// A score with its unit.
std::string quantity(Objective objective, double value);

/// Cut, interface, coder and link of a design.
std::string designLabel(const ExplorationDocument& document, std::size_t position);

/// Twice the standard error of a design's mean bytes; nothing for less than two frames.
std::optional<double> bytesError(const ExploredDesign& design);

/// The Pareto set, ordered by the first objective that is no drop.
Table frontTable(const ExplorationDocument& document);

/// For each goal the best design of the Pareto set, with what it is compared to.
std::string goalLines(const ExplorationDocument& document);

/// What was measured, what was left out and why.
std::string describeWork(const ExplorationDocument& document);

std::string formatExploration(const ExplorationDocument& document, OutputFormat format);

}  // namespace narrows
