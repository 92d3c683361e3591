#include "narrows/explore/split_pricing.h"

namespace narrows {

Result<std::vector<PlanPricer>*> SplitPricing::plansOf(std::size_t cut, const CutTimes& times) {
  auto found = plans_.find(cut);
  if (found == plans_.end() || found->second.times.node != times.node ||
      found->second.times.server != times.server) {
    NARROWS_TRY(links, pricer_->forCut((*cuts_)[cut], {times.node, times.server}));
    found = plans_.insert_or_assign(cut, Plans{times, std::move(links)}).first;
  }
  return &found->second.links;
}

Result<std::vector<DesignCost>> SplitPricing::price(std::size_t cut, const CutTimes& times,
                                                    Bytes bytes, Seconds encode, Seconds decode) {
  NARROWS_TRY(links, plansOf(cut, times));
  std::vector<DesignCost> costs;
  for (PlanPricer& link : *links) costs.push_back(costOf(link, bytes, encode, decode));
  return costs;
}

DesignCost SplitPricing::costOf(PlanPricer& plan, Bytes bytes, Seconds encode,
                                Seconds decode) const {
  const Price& price = pricer_->price(plan, bytes, encode, decode);
  const DevicePrice none;
  const DevicePrice& node = price.devices[0];
  const DevicePrice& server = price.devices.size() > 1 ? price.devices[1] : none;
  DesignCost cost;
  at(cost.scores, Objective::latency) = price.latency.value();
  at(cost.scores, Objective::energy) = node.energy().value();
  at(cost.scores, Objective::bytes) = price.bytes.value();
  at(cost.scores, Objective::period) = price.bottleneck.value();
  cost.node_memory = static_cast<double>(node.memory());
  cost.node_compute = node.compute;
  cost.coding = node.coding + server.coding;
  cost.link = price.link_time + price.answer_time;
  cost.server_compute = server.compute;
  cost.compute_energy = node.compute_energy;
  cost.coding_energy = node.coding_energy;
  cost.link_energy = node.link_energy;
  cost.origin = price.origin;
  return cost;
}

}  // namespace narrows
