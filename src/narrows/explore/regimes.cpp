#include "narrows/explore/regimes.h"

#include <algorithm>
#include <cmath>
#include <map>

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

double scoreOf(const Price& price, Objective objective) {
  switch (objective) {
    case Objective::latency:
      return price.latency.value();
    case Objective::energy:
      return price.devices[0].energy().value();
    case Objective::bytes:
      return price.bytes.value();
    case Objective::period:
      return price.bottleneck.value();
    case Objective::drop:
      break;
  }
  return 0;
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

Result<std::vector<double>> Regimes::scores(const SplitSetting& setting, Objective objective,
                                            const DesignFactors& factors) const {
  SplitSetting first_link = setting;
  first_link.links.resize(1);
  NARROWS_TRY(pricer, SplitPricer::create(first_link, *graph_));
  if (first_link.node) speedUp(*first_link.node, 1 / factors.node_work);
  NARROWS_TRY(cut_pricer, SplitPricer::create(std::move(first_link), *graph_));
  std::map<std::size_t, PlanPricer> plans;  // of cuts between modelled devices
  std::vector<double> scores;
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
    scores.push_back(scoreOf(
        pricer.price(plan, factor * design.bytes, design.encode, design.decode), objective));
  }
  return scores;
}

Result<std::size_t> Regimes::winner(const SplitSetting& setting, Objective objective) const {
  NARROWS_TRY(all, scores(setting, objective));
  NARROWS_ASSERT(!all.empty());
  return static_cast<std::size_t>(std::min_element(all.begin(), all.end()) - all.begin());
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
