#include "narrows/cli/sensitivity.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "narrows/cli/exploration_table.h"

namespace narrows {
namespace {

/// As the exploration counts it.
double dropOf(const ExplorationDocument& document, std::size_t position) {
  const double drop = document.exploration.designs[position].drop.value_or(0);
  return drop <= document.options.tolerance ? 0 : drop;
}

double scoreOf(const ExplorationDocument& document, std::size_t position, Objective objective) {
  return at(document.exploration.designs[position].cost.scores, objective);
}

/// Positions of designs whose drop is known and that keep to all bounds but that of the drop.
std::vector<std::size_t> candidatesOf(const ExplorationDocument& document) {
  const DesignBounds& bounds = document.options.bounds;
  const auto& designs = document.exploration.designs;
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < designs.size(); ++i) {
    if (designs[i].drop && keepsTo(bounds, designs[i].cost)) found.push_back(i);
  }
  return found;
}

std::vector<Sensitivity::Step> stepsByDrop(const ExplorationDocument& document,
                                           std::vector<std::size_t> candidates,
                                           Objective objective) {
  std::stable_sort(candidates.begin(), candidates.end(), [&](std::size_t a, std::size_t b) {
    const double drop_a = dropOf(document, a);
    const double drop_b = dropOf(document, b);
    if (drop_a != drop_b) return drop_a < drop_b;
    return scoreOf(document, a, objective) < scoreOf(document, b, objective);
  });
  std::vector<Sensitivity::Step> steps;
  for (const std::size_t candidate : candidates) {
    if (!steps.empty() && scoreOf(document, candidate, objective) >=
                              scoreOf(document, steps.back().design, objective))
      continue;
    steps.push_back({dropOf(document, candidate), candidate});
  }
  return steps;
}

std::vector<std::size_t> cheapestByBits(const ExplorationDocument& document,
                                        const std::vector<std::size_t>& candidates,
                                        const std::vector<Sensitivity::Step>& steps,
                                        Objective objective) {
  const auto& designs = document.exploration.designs;
  std::optional<std::size_t> best;
  for (const Sensitivity::Step& step : steps) {
    if (step.drop <= document.options.bounds.drop) best = step.design;
  }
  std::vector<std::size_t> found;
  if (!best || designs[*best].end) return found;
  for (std::size_t quantizer = 0; quantizer < document.space.quantizers.size(); ++quantizer) {
    std::optional<std::size_t> cheapest;
    for (const std::size_t candidate : candidates) {
      const ExploredDesign& design = designs[candidate];
      if (design.end || design.cut != designs[*best].cut || design.quantizer != quantizer) continue;
      if (!cheapest ||
          scoreOf(document, candidate, objective) < scoreOf(document, *cheapest, objective))
        cheapest = candidate;
    }
    if (cheapest) found.push_back(*cheapest);
  }
  return found;
}

}  // namespace

std::vector<Sensitivity> sensitivities(const ExplorationDocument& document) {
  const std::vector<std::size_t> candidates = candidatesOf(document);
  std::vector<Sensitivity> all;
  for (const Objective objective : document.options.objectives) {
    if (objective == Objective::drop) continue;
    if (objective == Objective::energy && !document.energy_known) continue;
    Sensitivity one;
    one.objective = objective;
    one.by_drop = stepsByDrop(document, candidates, objective);
    one.by_bits = cheapestByBits(document, candidates, one.by_drop, objective);
    all.push_back(std::move(one));
  }
  return all;
}

std::string formatSensitivity(const ExplorationDocument& document, const Sensitivity& sensitivity) {
  const auto value = [&](std::size_t design) {
    return quantity(sensitivity.objective, scoreOf(document, design, sensitivity.objective));
  };
  std::string text =
      fmt::format("Least {} by the drop allowed:\n", toString(sensitivity.objective));
  for (const Sensitivity::Step& step : sensitivity.by_drop) {
    text += fmt::format("  from {:.2f} points: {}, {}\n", step.drop, value(step.design),
                        designLabel(document, step.design));
  }
  if (sensitivity.by_bits.empty()) return text;
  text += "At its cut, by width:\n";
  for (const std::size_t design : sensitivity.by_bits) {
    text += fmt::format("  {}, drop {:.2f} points, {}\n", value(design),
                        document.exploration.designs[design].drop.value_or(0),
                        designLabel(document, design));
  }
  return text;
}

nlohmann::ordered_json sensitivityJson(const ExplorationDocument& document,
                                       const Sensitivity& sensitivity) {
  const auto row = [&](std::size_t design, double drop) {
    return nlohmann::ordered_json{
        {"drop_points", drop},
        {"value",
         quantity(sensitivity.objective, scoreOf(document, design, sensitivity.objective))},
        {"design", designLabel(document, design)}};
  };
  nlohmann::ordered_json json{{"objective", toString(sensitivity.objective)}};
  json["by_drop"] = nlohmann::ordered_json::array();
  for (const Sensitivity::Step& step : sensitivity.by_drop)
    json["by_drop"].push_back(row(step.design, step.drop));
  json["by_bits"] = nlohmann::ordered_json::array();
  for (const std::size_t design : sensitivity.by_bits)
    json["by_bits"].push_back(row(design, document.exploration.designs[design].drop.value_or(0)));
  return json;
}

}  // namespace narrows
