#include "narrows/cli/explore_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "narrows/cli/cut_choice.h"
#include "narrows/cli/engine_option.h"

namespace narrows {
namespace {

void addSpaceOptions(CLI::App& app, ExploreCommand& options) {
  addCutOptions(app, options.cuts, options.tensors);
  addInterfaceOptions(app, options.interfaces);
  app.add_option("--coded-pictures", options.coded_pictures,
                 "Pictures whose frames are coded, spread over the set (0: all)")
      ->capture_default_str();
  app.add_option("--slow-coder-pictures", options.slow_coder_pictures,
                 "Of them, those that lzma and context:max code (0: all)")
      ->capture_default_str();
}

void addGoalOptions(CLI::App& app, ExploreCommand& options) {
  app.add_option("--objective", options.objectives,
                 "What the Pareto set is over, beside the drop: energy, latency, bytes, "
                 "throughput; may be repeated")
      ->capture_default_str();
  app.add_option("--goal", options.goal,
                 "Name the best design for this: one objective, or a mix such as "
                 "energy=2,latency=1 (default: each objective)");
  app.add_option("--max-drop", options.max_drop, "Points that a design may lose")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--tolerance", options.tolerance, "Drops up to so many points count as none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--max-latency-ms", options.max_latency_ms, "From picture to answer")
      ->check(CLI::PositiveNumber);
  app.add_option("--max-node-mj", options.max_node_mj, "Energy of the node for a picture")
      ->check(CLI::PositiveNumber);
  app.add_option("--max-bytes", options.max_bytes, "On the link for a picture")
      ->check(CLI::PositiveNumber);
  app.add_option("--max-node-mb", options.max_node_mb, "Weights and activations of the node")
      ->check(CLI::PositiveNumber);
  app.add_flag("--each-link", options.each_link, "A Pareto set for each link");
  app.add_flag(
      "--regimes", options.regimes,
      "Also show which design wins for other link rates and node speeds, and what the best "
      "one hangs on");
  app.add_flag("--exhaustive", options.exhaustive,
               "Measure every accuracy; the Pareto set stays the same");
}

void addTrainingBudget(CLI::App& app, ExploreCommand& options) {
  app.add_option("--train-budget", options.train_minutes,
                 "Minutes of training (narrows tighten) for designs that can still enter the "
                 "Pareto set (0: none)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--train-split", options.train_split, "Split of the data set to train with")
      ->capture_default_str();
  app.add_option("--train-epochs", options.train_epochs,
                 "Epochs of the first round of training; each round has twice as many")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--train-batch", options.train_batch, "Pictures a training step")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--train-recover", options.train_recover,
                 "Then train a reconstruction engine of so many blocks on the server, for as many "
                 "epochs, the node frozen (0: none)")
      ->check(CLI::Range(0, 32))
      ->capture_default_str();
  app.add_option("--train-rate", options.train_rate, "Learning rate")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

}  // namespace

void addExploreOptions(CLI::App& app, ExploreCommand& options) {
  options.cost.server = "gpu-server";
  options.interfaces.quantizers = {"uniform", "two_level"};
  addModelOptions(app, options.model);
  addDataOptions(app, options.data, true);
  addCalibrationOptions(app, options.calibration);
  addSpaceOptions(app, options);
  addGoalOptions(app, options);
  addTrainingBudget(app, options);
  app.add_flag("--agreement", options.agreement,
               "Score the agreement with the uncut network, also where the data has truth");
  app.add_option("--store", options.store, "SQLite file with all that was measured")
      ->capture_default_str();
  addEngineOption(app, options.engine, "Inference engine")->capture_default_str();
  app.add_option("--threads", options.threads, "Pictures in parallel (0: one per core)")
      ->capture_default_str();
  addCostOptions(app, options.cost);
  addOutputOptions(app, options.output);
}

Result<std::vector<std::pair<Objective, double>>> parseGoal(const std::string& text) {
  std::vector<std::pair<Objective, double>> goal;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string part = text.substr(start, end - start);
    const std::size_t sign = std::min(part.find('='), part.size());
    NARROWS_TRY(objective, parseObjective(part.substr(0, sign)));
    double weight = 1;
    if (sign < part.size()) {
      const char* last = part.data() + part.size();
      const auto [stop, error] = std::from_chars(part.data() + sign + 1, last, weight);
      if (error != std::errc() || stop != last || !(weight > 0) || !std::isfinite(weight))
        return makeError("\"{}\": expected a weight above 0", part);
    }
    goal.emplace_back(objective, weight);
    start = end + 1;
  }
  return goal;
}

Result<ExploreOptions> exploreOptions(const ExploreCommand& options,
                                      const std::vector<std::pair<Objective, double>>& goal) {
  ExploreOptions explore;
  explore.objectives = {Objective::drop};
  const auto add = [&](Objective objective) {
    for (Objective known : explore.objectives) {
      if (known == objective) return;
    }
    explore.objectives.push_back(objective);
  };
  for (const std::string& name : options.objectives) {
    NARROWS_TRY(objective, parseObjective(name).within("--objective"));
    add(objective);
  }
  for (const auto& [objective, weight] : goal) add(objective);
  explore.bounds.drop = options.max_drop;
  explore.bounds.latency = options.max_latency_ms / 1e3;
  explore.bounds.energy = options.max_node_mj / 1e3;
  explore.bounds.bytes = options.max_bytes;
  explore.bounds.memory = options.max_node_mb * 1e6;
  explore.tolerance = options.tolerance;
  explore.each_link = options.each_link;
  explore.exhaustive = options.exhaustive;
  return explore;
}

}  // namespace narrows
