#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/cli/data_source.h"
#include "narrows/cli/design_pricer.h"
#include "narrows/cli/interface_options.h"
#include "narrows/cli/model_source.h"
#include "narrows/cli/output_options.h"
#include "narrows/cli/split_recipe.h"
#include "narrows/engine/engine.h"
#include "narrows/explore/explorer.h"

namespace narrows {

/// How a user asks for an exploration.
struct ExploreCommand {
  ModelOptions model;
  DataSourceOptions data;
  CalibrationOptions calibration;
  std::vector<std::string> cuts;
  std::size_t tensors = 1;
  InterfaceOptions interfaces;
  std::size_t coded_pictures = 4;
  std::size_t slow_coder_pictures = 1;
  bool agreement = false;
  std::vector<std::string> objectives{"energy", "latency", "bytes"};
  std::string goal;
  double max_drop = 3;
  double tolerance = 0.5;
  double max_latency_ms = DesignBounds::kNone;
  double max_node_mj = DesignBounds::kNone;
  double max_bytes = DesignBounds::kNone;
  double max_node_mb = DesignBounds::kNone;
  bool each_link = false;
  bool exhaustive = false;
  bool regimes = false;
  /// 0: nothing is trained.
  double train_minutes = 0;
  std::string train_split = "train";
  /// Of the first round.
  std::size_t train_epochs = 2;
  std::size_t train_batch = 8;
  double train_rate = 3e-4;
  /// Blocks of a reconstruction engine on the server; 0: none.
  std::size_t train_recover = 0;
  std::string store{kStandardStore};
  std::string engine{defaultEngineName()};
  std::size_t threads = 0;
  CostOptions cost;
  OutputOptions output;
};
void addExploreOptions(CLI::App& app, ExploreCommand& options);

/// "energy" or "energy=2,latency=1": objectives with their weights, above 0.
Result<std::vector<std::pair<Objective, double>>> parseGoal(const std::string& text);

/// The drop, the objectives that were named and those of the goal, under the bounds given.
Result<ExploreOptions> exploreOptions(const ExploreCommand& options,
                                      const std::vector<std::pair<Objective, double>>& goal);

}  // namespace narrows
