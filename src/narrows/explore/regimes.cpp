#include "narrows/explore/regimes.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "narrows/explore/split_pricing.h"

namespace narrows {
namespace {

void speedUpAll(std::optional<DeviceModel>& device, double& host_speed, double factor) {
  if (!device) {
    host_speed *= factor;
    return;
  }
  speedUp(*device, factor);
  device->coding_slowdown /= factor;
}

DesignFactors factorsOf(Knob knob, double factor) {
  return {knob == Knob::bytes ? factor : 1, knob == Knob::node_work ? factor : 1};
}

}  // namespace

std::string_view toString(Knob knob) {
  constexpr std::array<std::string_view, kKnobs.size()> kNames{
      "link rate", "node speed", "server speed", "bytes", "node work"};
  return kNames[static_cast<std::size_t>(knob)];
}

SplitSetting turned(const SplitSetting& setting, Knob knob, double factor) {
  SplitSetting changed = setting;
  switch (knob) {
    case Knob::link_rate:
      for (LinkModel& link : changed.links) {
        link.up = BitsPerSecond(link.up.value() * factor);
        link.down = BitsPerSecond(link.down.value() * factor);
      }
      break;
    case Knob::node_speed:
      speedUpAll(changed.node, changed.host_node_speed, factor);
      break;
    case Knob::server_speed:
      speedUpAll(changed.server, changed.host_server_speed, factor);
      break;
    case Knob::bytes:
    case Knob::node_work:
      break;
  }
  return changed;
}

Result<std::vector<DesignCost>> Regimes::costs(const SplitSetting& setting,
                                               const DesignFactors& factors) const {
  SplitSetting first_link = setting;
  first_link.links.resize(1);
  NARROWS_TRY(pricer, SplitPricer::create(first_link, *graph_));
  if (first_link.node) speedUp(*first_link.node, 1 / factors.node_work);
  NARROWS_TRY(cut_pricer, SplitPricer::create(std::move(first_link), *graph_));
  const SplitPricing pricing(pricer, *cuts_);
  std::map<std::size_t, PlanPricer> plans;  // of cuts between modelled devices
  std::vector<DesignCost> costs;
  for (const PricedDesign& design : *designs_) {
    double factor = factors.bytes;
    std::vector<PlanPricer> made;
    if (design.picture) {
      NARROWS_TRY(plan, pricer.forPicture(*design.picture, design.times));
      made = std::move(plan);
      factor = 1;
    } else if (!design.cut) {
      NARROWS_TRY(plan, pricer.onNode(design.times));
      made = std::move(plan);
    } else if (const auto known = plans.find(*design.cut); known == plans.end()) {
      HostTimes times = design.times;
      times.node = factors.node_work * times.node;
      NARROWS_TRY(plan, cut_pricer.forCut((*cuts_)[*design.cut], times));
      plans.emplace(*design.cut, std::move(plan[0]));
    }
    PlanPricer& plan = made.empty() ? plans.at(*design.cut) : made[0];
    costs.push_back(pricing.costOf(plan, factor * design.bytes, design.encode, design.decode));
  }
  return costs;
}

Result<std::vector<double>> Regimes::scores(const SplitSetting& setting, Objective objective,
                                            const DesignFactors& factors) const {
  NARROWS_TRY(all, costs(setting, factors));
  std::vector<double> scores;
  scores.reserve(all.size());
  for (const DesignCost& cost : all) scores.push_back(at(cost.scores, objective));
  return scores;
}

Result<std::optional<std::size_t>> Regimes::winner(const SplitSetting& setting,
                                                   Objective objective) const {
  NARROWS_TRY(all, costs(setting, {}));
  std::optional<std::size_t> winner;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!keepsTo(bounds_, all[i])) continue;
    if (!winner || at(all[i].scores, objective) < at(all[*winner].scores, objective)) winner = i;
  }
  return winner;
}

Result<std::array<double, kKnobs.size()>> Regimes::elasticities(const SplitSetting& setting,
                                                                Objective objective,
                                                                std::size_t design) const {
  constexpr double kStep = 1.01;
  std::array<double, kKnobs.size()> found{};
  for (std::size_t i = 0; i < kKnobs.size(); ++i) {
    NARROWS_TRY(up,
                scores(turned(setting, kKnobs[i], kStep), objective, factorsOf(kKnobs[i], kStep)));
    NARROWS_TRY(down, scores(turned(setting, kKnobs[i], 1 / kStep), objective,
                             factorsOf(kKnobs[i], 1 / kStep)));
    if (up[design] > 0 && down[design] > 0)
      found[i] = std::log(up[design] / down[design]) / (2 * std::log(kStep));
  }
  return found;
}

Result<std::optional<double>> Regimes::breakEven(const SplitSetting& setting, Objective objective,
                                                 Knob knob, double limit) const {
  constexpr double kPrecision = 1.01;
  NARROWS_TRY(now, winner(setting, objective));
  NARROWS_TRY(then, winner(turned(setting, knob, limit), objective));
  if (now == then) return std::optional<double>();
  double same = 1;
  double other = limit;
  while (std::max(same, other) / std::min(same, other) > kPrecision) {
    const double middle = std::sqrt(same * other);
    NARROWS_TRY(found, winner(turned(setting, knob, middle), objective));
    (found == now ? same : other) = middle;
  }
  return std::optional(other);
}

}  // namespace narrows
