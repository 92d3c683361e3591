#pragma once

#include <map>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/cli/exploration_table.h"
#include "narrows/cost/split_pricer.h"
#include "narrows/explore/store.h"
#include "narrows/graph/cuts.h"

namespace narrows {

/// Maps for latency and energy over the first link, of all designs whose drop is known and allowed;
/// the other bounds hold in each place of a map.
Status addRegimes(ExplorationDocument& document, const SplitSetting& setting, const Graph& graph,
                  const std::vector<Cut>& cuts, const std::map<std::string, CutTimes>& times);

}  // namespace narrows
