#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "narrows/explore/objectives.h"

namespace narrows {

struct ExplorationDocument;

/// What one objective gains by giving up accuracy, and by other widths of the best design's cut. Of
/// designs whose drop is known and that keep to the other bounds; positions in the exploration.
struct Sensitivity {
  Objective objective = Objective::latency;
  struct Step {
    /// Allowing this many points, or more, this design is the best.
    double drop = 0;
    std::size_t design = 0;
  };
  /// By drop, the smallest first; each is better than those before it.
  std::vector<Step> by_drop;
  /// The cheapest design of each measured quantizer at the cut of the design that is best within
  /// the bounds; none when that is not cut.
  std::vector<std::size_t> by_bits;
};

/// One for each objective of the exploration but the drop.
std::vector<Sensitivity> sensitivities(const ExplorationDocument& document);

std::string formatSensitivity(const ExplorationDocument& document, const Sensitivity& sensitivity);
nlohmann::ordered_json sensitivityJson(const ExplorationDocument& document,
                                       const Sensitivity& sensitivity);

}  // namespace narrows
