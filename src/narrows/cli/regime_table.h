#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "narrows/explore/regimes.h"

namespace narrows {

/// Which design wins where, for one objective. Modelled.
struct RegimeMap {
  Objective objective = Objective::latency;
  std::string link;
  /// Against the setting that was asked for.
  std::vector<double> link_factors;
  std::vector<double> node_factors;
  /// Positions in `designs`, by node factor, then link factor; nothing where no design keeps to the
  /// bounds.
  std::vector<std::optional<std::size_t>> winners;
  /// In the setting itself.
  std::optional<std::size_t> best;
  /// Of the best one.
  std::array<double, kKnobs.size()> elasticities{};
  struct BreakEven {
    Knob knob = Knob::link_rate;
    double factor = 1;
    std::optional<std::size_t> winner;  // from there on
  };
  std::vector<BreakEven> break_evens;
};

/// Link and node from a thirty-second to thirty-two times of what they are.
Result<RegimeMap> makeRegimeMap(const Regimes& regimes, const SplitSetting& setting,
                                Objective objective);

/// `labels` names the designs.
std::string formatRegimes(const RegimeMap& map, const std::vector<std::string>& labels);
nlohmann::ordered_json regimesJson(const RegimeMap& map, const std::vector<std::string>& labels);

}  // namespace narrows
