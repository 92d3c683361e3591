#include "narrows/cli/regime_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace narrows {
namespace {

constexpr double kReach = 32;
constexpr int kStepsEachWay = 5;

std::vector<double> factors() {
  std::vector<double> made;
  for (int i = -kStepsEachWay; i <= kStepsEachWay; ++i)
    made.push_back(std::pow(kReach, static_cast<double>(i) / kStepsEachWay));
  return made;
}

/// Designs of a map in the order in which it first shows them.
std::vector<std::size_t> shown(const RegimeMap& map) {
  std::vector<std::size_t> found;
  for (const std::optional<std::size_t>& winner : map.winners) {
    if (winner && std::find(found.begin(), found.end(), *winner) == found.end())
      found.push_back(*winner);
  }
  return found;
}

std::string labelOf(const std::vector<std::string>& labels, std::optional<std::size_t> winner) {
  return winner ? labels[*winner] : "none within the bounds";
}

std::string letterOf(const std::vector<std::size_t>& designs, std::size_t winner) {
  constexpr std::size_t kLetters = 26;
  const auto at =
      static_cast<std::size_t>(std::find(designs.begin(), designs.end(), winner) - designs.begin());
  const std::string letter(1, static_cast<char>('A' + at % kLetters));
  return at < kLetters ? letter : letter + fmt::format("{}", at / kLetters);
}

}  // namespace

Result<RegimeMap> makeRegimeMap(const Regimes& regimes, const SplitSetting& setting,
                                Objective objective) {
  RegimeMap map;
  map.objective = objective;
  map.link = setting.links[0].name;
  map.link_factors = map.node_factors = factors();
  for (double node : map.node_factors) {
    const SplitSetting row = turned(setting, Knob::node_speed, node);
    for (double link : map.link_factors) {
      NARROWS_TRY(winner, regimes.winner(turned(row, Knob::link_rate, link), objective));
      map.winners.push_back(winner);
    }
  }
  NARROWS_TRY(best, regimes.winner(setting, objective));
  map.best = best;
  if (best) {
    NARROWS_TRY(elasticities, regimes.elasticities(setting, objective, *best));
    map.elasticities = elasticities;
  }
  for (Knob knob : {Knob::link_rate, Knob::node_speed, Knob::server_speed}) {
    for (double limit : {1 / kReach, kReach}) {
      NARROWS_TRY(factor, regimes.breakEven(setting, objective, knob, limit));
      if (!factor) continue;
      NARROWS_TRY(winner, regimes.winner(turned(setting, knob, *factor), objective));
      map.break_evens.push_back({knob, *factor, winner});
    }
  }
  return map;
}

std::string formatRegimes(const RegimeMap& map, const std::vector<std::string>& labels) {
  const std::vector<std::size_t> designs = shown(map);
  std::string text = fmt::format(
      "Least {} over {}, modelled; down: speed of the node, across: rate of the link, as factors\n"
      "      ",
      toString(map.objective), map.link);
  for (double factor : map.link_factors) text += fmt::format("{:>6.2g}", factor);
  for (std::size_t row = 0; row < map.node_factors.size(); ++row) {
    text += fmt::format("\n{:>6.2g}", map.node_factors[row]);
    for (std::size_t i = 0; i < map.link_factors.size(); ++i) {
      const std::optional<std::size_t> winner = map.winners[row * map.link_factors.size() + i];
      text += fmt::format("{:>6}", winner ? letterOf(designs, *winner) : "-");
    }
  }
  text += "\n";
  for (std::size_t design : designs)
    text += fmt::format("  {}  {}\n", letterOf(designs, design), labels[design]);
  if (std::find(map.winners.begin(), map.winners.end(), std::nullopt) != map.winners.end())
    text += fmt::format("  -  {}\n", labelOf(labels, std::nullopt));
  if (map.best) {
    text += fmt::format("Here {} wins. Percent of {} for one percent more:", labels[*map.best],
                        toString(map.objective));
    for (std::size_t i = 0; i < kKnobs.size(); ++i)
      text +=
          fmt::format("{} {} {:+.2f}", i == 0 ? "" : ",", toString(kKnobs[i]), map.elasticities[i]);
    text += ".\n";
  }
  for (const RegimeMap::BreakEven& point : map.break_evens) {
    text += fmt::format("  {} at {:.3g} times: {}\n", toString(point.knob), point.factor,
                        labelOf(labels, point.winner));
  }
  return text;
}

nlohmann::ordered_json regimesJson(const RegimeMap& map, const std::vector<std::string>& labels) {
  nlohmann::ordered_json json{{"objective", toString(map.objective)},
                              {"link", map.link},
                              {"origin", "modelled"},
                              {"link_factors", map.link_factors},
                              {"node_factors", map.node_factors}};
  for (const std::optional<std::size_t>& winner : map.winners)
    json["winners"].push_back(labelOf(labels, winner));
  json["best"] = labelOf(labels, map.best);
  json["elasticities"] = nlohmann::ordered_json::object();
  for (std::size_t i = 0; i < kKnobs.size() && map.best; ++i)
    json["elasticities"][std::string(toString(kKnobs[i]))] = map.elasticities[i];
  json["break_evens"] = nlohmann::ordered_json::array();
  for (const RegimeMap::BreakEven& point : map.break_evens) {
    json["break_evens"].push_back({{"knob", toString(point.knob)},
                                   {"factor", point.factor},
                                   {"winner", labelOf(labels, point.winner)}});
  }
  return json;
}

}  // namespace narrows
