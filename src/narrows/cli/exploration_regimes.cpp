#include "narrows/cli/exploration_regimes.h"

#include <fmt/format.h>

#include "narrows/cli/end_designs.h"

namespace narrows {

Status addRegimes(ExplorationDocument& document, const SplitSetting& setting, const Graph& graph,
                  const std::vector<Cut>& cuts, const std::map<std::string, CutTimes>& times) {
  std::vector<PricedDesign> designs;
  for (const ExploredDesign& design : document.exploration.designs) {
    if (!design.drop || *design.drop > document.options.bounds.drop) continue;
    if (design.link && *design.link != 0) continue;
    PricedDesign priced;
    std::string label;
    if (design.end) {
      const EndDesign& end = document.ends[*design.end];
      const auto uncut = times.find(std::string(kPicture));
      NARROWS_ASSERT(uncut != times.end());
      priced.times = {uncut->second.server, uncut->second.server};
      if (design.link) {
        priced.bytes = Bytes(at(end.cost.scores, Objective::bytes));
        priced.encode = end.encode_time;
        priced.decode = end.decode_time;
      }
      if (end.cut) {
        const CutTimes& measured = times.at(document.space.cuts[*end.cut]);
        priced.cut = end.cut;
        priced.times = {measured.node, measured.server};
      } else if (design.link) {
        priced.picture = ImageInterface{};
      }
      label = end.name;
    } else {
      const CutTimes& measured = times.at(document.space.cuts[design.cut]);
      priced.cut = design.cut;
      priced.bytes = Bytes(design.frame->mean_bytes);
      priced.encode = design.frame->encode_time;
      priced.decode = design.frame->decode_time;
      priced.times = {measured.node, measured.server};
      label = fmt::format("{}, {}, {}", document.space.cuts[design.cut],
                          document.space.quantizers[design.quantizer],
                          document.space.coders[design.coder]);
    }
    designs.push_back(priced);
    document.regime_labels.push_back(std::move(label));
  }
  const Regimes regimes(graph, cuts, designs, document.options.bounds);
  for (Objective objective : document.options.objectives) {
    if (objective != Objective::latency && objective != Objective::energy) continue;
    if (objective == Objective::energy && !document.energy_known) continue;
    NARROWS_TRY(map, makeRegimeMap(regimes, setting, objective));
    document.regimes.push_back(std::move(map));
  }
  return {};
}

}  // namespace narrows
