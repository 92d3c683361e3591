#include "narrows/cli/exploration_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "narrows/bundle/sha256.h"

namespace narrows {
namespace {

constexpr std::size_t kIdDigits = 10;
constexpr double kMillion = 1e6;

std::string linkName(const ExplorationDocument& document, const ExploredDesign& design) {
  return design.link ? document.links[*design.link] : std::string();
}

std::string cutLabel(const ExplorationDocument& document, const ExploredDesign& design) {
  return design.end ? document.ends[*design.end].name : document.space.cuts[design.cut];
}

std::string interfaceLabel(const ExplorationDocument& document, const ExploredDesign& design) {
  return design.end ? std::string("-") : document.space.quantizers[design.quantizer];
}

std::string coderLabel(const ExplorationDocument& document, const ExploredDesign& design) {
  return design.end ? std::string("-") : document.space.coders[design.coder];
}

std::string idOf(const ExplorationDocument& document, std::size_t position) {
  return designId(document.recipes[position],
                  linkName(document, document.exploration.designs[position]));
}

/// Positions of the front, cheapest first in the first cost.
std::vector<std::size_t> frontOf(const ExplorationDocument& document) {
  const auto& designs = document.exploration.designs;
  const auto first =
      std::find_if(document.options.objectives.begin(), document.options.objectives.end(),
                   [](Objective o) { return o != Objective::drop; });
  const Objective order = first == document.options.objectives.end() ? Objective::drop : *first;
  std::vector<std::size_t> front;
  for (std::size_t i = 0; i < designs.size(); ++i) {
    if (designs[i].on_front) front.push_back(i);
  }
  std::stable_sort(front.begin(), front.end(), [&](std::size_t a, std::size_t b) {
    return at(designs[a].cost.scores, order) < at(designs[b].cost.scores, order);
  });
  return front;
}

std::string_view goalName(Objective objective) {
  return objective == Objective::period ? "throughput" : toString(objective);
}

double scoreOf(const ExploredDesign& design, Objective objective) {
  return objective == Objective::drop ? std::max(design.drop.value_or(0), 0.0)
                                      : at(design.cost.scores, objective);
}

using Goal = std::vector<std::pair<Objective, double>>;

/// Weighted sum of the logarithms, so that weights compare ratios. Less is better.
double goalValue(const ExploredDesign& design, const Goal& goal) {
  constexpr double kLeast = 1e-12;
  double sum = 0;
  for (const auto& [objective, weight] : goal)
    sum += weight * std::log(std::max(scoreOf(design, objective), kLeast));
  return sum;
}

std::string goalTitle(const Goal& goal) {
  if (goal.size() == 1) return std::string(goalName(goal[0].first));
  std::string title;
  for (const auto& [objective, weight] : goal)
    title += fmt::format("{}{} x{:g}", title.empty() ? "" : ", ", goalName(objective), weight);
  return title;
}

std::optional<std::size_t> bestFor(const ExplorationDocument& document, const Goal& goal) {
  const auto& designs = document.exploration.designs;
  std::optional<std::size_t> best;
  for (std::size_t i : frontOf(document)) {
    if (!best || goalValue(designs[i], goal) < goalValue(designs[*best], goal)) best = i;
  }
  return best;
}

std::vector<Goal> goalsOf(const ExplorationDocument& document) {
  if (!document.goal.empty()) return {document.goal};
  std::vector<Goal> goals;
  for (Objective objective : document.options.objectives) {
    if (objective == Objective::drop) continue;
    if (objective == Objective::energy && !document.energy_known) continue;
    goals.push_back({{objective, 1.0}});
  }
  return goals;
}

/// To six digits, which keeps large documents small.
double shortened(double value) {
  constexpr int kDigits = 6;
  if (value == 0 || !std::isfinite(value)) return value;
  const double scale = std::pow(10.0, kDigits - 1 - std::floor(std::log10(std::fabs(value))));
  return std::round(value * scale) / scale;
}

std::string whyLine(const ExploredDesign& design, bool energy_known) {
  const DesignCost& cost = design.cost;
  std::string text = fmt::format(
      "latency {:.2f} ms = node {:.2f} + coding {:.2f} + link {:.2f} + server {:.2f}",
      at(cost.scores, Objective::latency) * 1e3, toMilliseconds(cost.node_compute),
      toMilliseconds(cost.coding), toMilliseconds(cost.link), toMilliseconds(cost.server_compute));
  if (!energy_known) return text;
  return text + fmt::format("; node {:.2f} mJ = computing {:.2f} + coding {:.2f} + link {:.2f}",
                            at(cost.scores, Objective::energy) * 1e3,
                            cost.compute_energy.value() * 1e3, cost.coding_energy.value() * 1e3,
                            cost.link_energy.value() * 1e3);
}

/// Null where the node's power is not known.
nlohmann::ordered_json millijoules(const ExplorationDocument& document, double joules) {
  if (!document.energy_known) return nullptr;
  return shortened(joules * 1e3);
}

/// What each end would need in place of this design.
std::string againstEnds(const ExplorationDocument& document, const ExploredDesign& design,
                        Objective objective) {
  std::string text;
  for (const ExploredDesign& other : document.exploration.designs) {
    if (!other.end || other.end == design.end) continue;
    if (other.link && design.link && *other.link != *design.link) continue;
    if (at(other.cost.scores, objective) <= 0 || at(design.cost.scores, objective) <= 0) continue;
    const double ratio = at(other.cost.scores, objective) / at(design.cost.scores, objective);
    text +=
        fmt::format("{}{}{} needs {} ({:.2f} times as much)", text.empty() ? "" : "; ",
                    document.ends[*other.end].name,
                    other.link ? " over " + linkName(document, other) : std::string(),
                    objective == Objective::period
                        ? fmt::format("{:.2f} ms a frame", at(other.cost.scores, objective) * 1e3)
                        : quantity(objective, at(other.cost.scores, objective)),
                    ratio);
  }
  return text;
}

nlohmann::ordered_json countJson(const ExploreCount& count) {
  return {{"designs", count.designs},
          {"accuracies", count.groups},
          {"accuracies_measured", count.accuracies},
          {"accuracies_measured_in_this_run", count.accuracies_here},
          {"ruled_out_before_coding", count.bounded_before_coding},
          {"ruled_out", count.bounded}};
}

std::size_t codedPictures(const ExplorationDocument& document) {
  const std::size_t pictures = document.baseline.pictures;
  return document.coded_pictures == 0 ? pictures : std::min(document.coded_pictures, pictures);
}

/// Of a trained design those of its cut before training.
std::int64_t nodeMacs(const ExplorationDocument& document, std::size_t position) {
  const ExploredDesign& design = document.exploration.designs[position];
  if (!design.end) return document.cuts[design.cut].node_macs;
  if (const auto cut = document.ends[*design.end].cut) return document.cuts[*cut].node_macs;
  if (design.link || document.cuts.empty()) return 0;
  return document.cuts[0].node_macs + document.cuts[0].server_macs;
}

/// Every design with a known accuracy, with the parts of its latency and energy: names of columns
/// and a row for each, since there may be thousands.
nlohmann::ordered_json designsJson(const ExplorationDocument& document) {
  nlohmann::ordered_json json{{"columns",
                               {"id",
                                "cut",
                                "interface",
                                "coder",
                                "link",
                                "mean_bytes",
                                "latency_ms",
                                "period_ms",
                                "node_compute_ms",
                                "coding_ms",
                                "link_ms",
                                "server_ms",
                                "node_mj",
                                "compute_mj",
                                "coding_mj",
                                "radio_mj",
                                "node_memory_mb",
                                "node_mmacs",
                                "accuracy_percent",
                                "drop_points",
                                "on_front",
                                "cost_origin"}},
                              {"rows", nlohmann::ordered_json::array()}};
  const auto& designs = document.exploration.designs;
  for (std::size_t i = 0; i < designs.size(); ++i) {
    const ExploredDesign& design = designs[i];
    if (!design.drop) continue;
    const DesignCost& cost = design.cost;
    json["rows"].push_back({idOf(document, i),
                            cutLabel(document, design),
                            interfaceLabel(document, design),
                            coderLabel(document, design),
                            linkName(document, design),
                            shortened(at(cost.scores, Objective::bytes)),
                            shortened(at(cost.scores, Objective::latency) * 1e3),
                            shortened(at(cost.scores, Objective::period) * 1e3),
                            shortened(toMilliseconds(cost.node_compute)),
                            shortened(toMilliseconds(cost.coding)),
                            shortened(toMilliseconds(cost.link)),
                            shortened(toMilliseconds(cost.server_compute)),
                            millijoules(document, at(cost.scores, Objective::energy)),
                            millijoules(document, cost.compute_energy.value()),
                            millijoules(document, cost.coding_energy.value()),
                            shortened(cost.link_energy.value() * 1e3),
                            shortened(cost.node_memory / kMillion),
                            shortened(static_cast<double>(nodeMacs(document, i)) / kMillion),
                            shortened(document.baseline.uncut.primary - *design.drop),
                            shortened(*design.drop),
                            design.on_front,
                            toString(cost.origin)});
  }
  return json;
}

/// What justifies each accuracy that was not measured.
nlohmann::ordered_json skippedJson(const ExplorationDocument& document) {
  auto rows = nlohmann::ordered_json::array();
  for (const SkippedGroup& group : document.exploration.skipped) {
    nlohmann::ordered_json row{{"cut", document.space.cuts[group.cut]}};
    if (group.quantizer) row["interface"] = document.space.quantizers[*group.quantizer];
    row["breaks_bound"] = group.breaks_bound;
    row["covered_by"] = nlohmann::ordered_json::array();
    for (const std::size_t design : group.covered_by)
      row["covered_by"].push_back(idOf(document, design));
    rows.push_back(std::move(row));
  }
  return rows;
}

nlohmann::ordered_json cutsJson(const ExplorationDocument& document) {
  auto rows = nlohmann::ordered_json::array();
  for (const CutFacts& cut : document.cuts) {
    rows.push_back({{"name", cut.name},
                    {"shape", cut.shape},
                    {"node_mmacs", static_cast<double>(cut.node_macs) / kMillion},
                    {"elements", cut.elements}});
  }
  return rows;
}

}  // namespace

std::string quantity(Objective objective, double value) {
  switch (objective) {
    case Objective::drop:
      return fmt::format("{:.2f} points", value);
    case Objective::latency:
      return fmt::format("{:.2f} ms", value * 1e3);
    case Objective::energy:
      return fmt::format("{:.2f} mJ", value * 1e3);
    case Objective::bytes:
      return fmt::format("{:.0f} B", value);
    case Objective::period:
      return fmt::format("{:.1f} frames/s", 1 / value);
  }
  return {};
}

std::string designLabel(const ExplorationDocument& document, std::size_t position) {
  const ExploredDesign& design = document.exploration.designs[position];
  std::string text = cutLabel(document, design);
  if (!design.end)
    text += fmt::format(", {}, {}", interfaceLabel(document, design), coderLabel(document, design));
  if (design.link) text += " over " + linkName(document, design);
  return text;
}

std::string designId(const SplitRecipe& recipe, const std::string& link) {
  return sha256(asBytes(toJson(recipe) + link)).substr(0, kIdDigits);
}

std::optional<double> bytesError(const ExploredDesign& design) {
  if (!design.frame || design.frame->frames < 2) return std::nullopt;
  return 2 * design.frame->bytes_deviation / std::sqrt(static_cast<double>(design.frame->frames));
}

Table frontTable(const ExplorationDocument& document) {
  Table table({{"id", "id"},
               {"cut", "cut"},
               {"interface", "interface"},
               {"coder", "coder"},
               {"link", "link"},
               {"mean_bytes", "mean B", 0},
               {"bytes_error", "+- B", 0},
               {"latency_ms", "latency ms", 2},
               {"frames_per_s", "frames/s", 1},
               {"node_mj", "node mJ", 2},
               {"node_memory_mb", "node MB", 2},
               {"accuracy_percent", scoreName(document.baseline) + " %", 2},
               {"drop_points", "drop", 2},
               {"cost_origin", "origin"}});
  for (std::size_t position : frontOf(document)) {
    const ExploredDesign& design = document.exploration.designs[position];
    const Scores& scores = design.cost.scores;
    Cell error;
    if (const auto known = bytesError(design)) error = *known;
    const std::string link = linkName(document, design);
    table.add({idOf(document, position), cutLabel(document, design),
               interfaceLabel(document, design), coderLabel(document, design),
               link.empty() ? std::string("-") : link, at(scores, Objective::bytes), error,
               at(scores, Objective::latency) * 1e3, 1 / at(scores, Objective::period),
               document.energy_known ? Cell(at(scores, Objective::energy) * 1e3) : Cell(),
               design.cost.node_memory / kMillion,
               document.baseline.uncut.primary - design.drop.value_or(0), design.drop.value_or(0),
               std::string(toString(design.cost.origin))});
  }
  return table;
}

std::string goalLines(const ExplorationDocument& document) {
  std::string text;
  for (const Goal& goal : goalsOf(document)) {
    const auto best = bestFor(document, goal);
    if (!best) return "No design keeps to the bounds.\n";
    const ExploredDesign& design = document.exploration.designs[*best];
    text += fmt::format("Best for {}: {}  {}, drop {:.2f} points\n  {}\n", goalTitle(goal),
                        idOf(document, *best), designLabel(document, *best),
                        design.drop.value_or(0), whyLine(design, document.energy_known));
    for (const auto& [objective, weight] : goal) {
      const std::string ends = againstEnds(document, design, objective);
      if (!ends.empty()) text += fmt::format("  {}\n", ends);
    }
  }
  return text;
}

std::string describeWork(const ExplorationDocument& document) {
  const ExploreCount& count = document.exploration.count;
  const double share = count.groups == 0 ? 0
                                         : 100.0 * static_cast<double>(count.accuracies) /
                                               static_cast<double>(count.groups);
  std::string text = fmt::format(
      "{} designs of {} distinct accuracies: {} measured ({:.1f} %, {} of them now), {} ruled out "
      "before\ncoding and {} after it, because each of their designs breaks a bound or is no "
      "better in any\nobjective than a measured one, even with no drop. Drops up to {:g} points "
      "count as none.\n",
      withSeparators(static_cast<std::int64_t>(count.designs)), count.groups, count.accuracies,
      share, count.accuracies_here, count.bounded_before_coding, count.bounded,
      document.options.tolerance);
  if (document.trials.empty()) return text;
  Seconds trained;
  for (const Trial& trial : document.trials) trained += trial.time;
  return text + fmt::format("{} trainings of designs that could enter the set, {:.1f} minutes.\n",
                            document.trials.size(), trained.value() / 60);
}

std::string formatExploration(const ExplorationDocument& document, OutputFormat format) {
  const Table table = frontTable(document);
  if (format == OutputFormat::csv) return table.csv();
  if (format == OutputFormat::json) {
    nlohmann::ordered_json json;
    json["model"] = document.model;
    json["untrained"] = document.untrained;
    json["data"] = document.data;
    json["calibration"] = document.calibration;
    json["store"] = document.store;
    json["seed"] = document.seed;
    json["metric"] = toString(document.baseline.metric);
    json["against_truth"] = document.baseline.against_truth;
    json["pictures"] = document.baseline.pictures;
    json["uncut_percent"] = document.baseline.uncut.primary;
    json["node"] = document.node;
    json["server"] = document.server;
    json["links"] = document.links;
    json["coded_pictures"] = codedPictures(document);
    json["seconds"] = document.elapsed.value();
    json["work"] = countJson(document.exploration.count);
    for (const Trial& trial : document.trials) {
      json["trainings"].push_back(
          {{"epochs", trial.epochs}, {"drop_points", trial.drop}, {"seconds", trial.time.value()}});
    }
    for (const Goal& goal : goalsOf(document)) {
      if (const auto best = bestFor(document, goal))
        json["best"][goalTitle(goal)] = idOf(document, *best);
    }
    json["front"] = nlohmann::ordered_json::parse(table.json());
    for (const RegimeMap& map : document.regimes)
      json["regimes"].push_back(regimesJson(map, document.regime_labels));
    for (const Sensitivity& sensitivity : document.sensitivities)
      json["sensitivity"].push_back(sensitivityJson(document, sensitivity));
    json["cuts"] = cutsJson(document);
    if (!document.cuts.empty()) {
      const CutFacts& cut = document.cuts[0];
      json["network_mmacs"] = static_cast<double>(cut.node_macs + cut.server_macs) / kMillion;
    }
    json["designs"] = designsJson(document);
    json["skipped"] = skippedJson(document);
    json["timeline_in_flight"] = kTimelineInFlight;
    for (const DesignTimeline& timeline : document.timelines)
      json["timelines"][idOf(document, timeline.design)] = timelineJson(timeline);
    return json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  }
  std::string text = fmt::format(
      "{}{} on {}, {} pictures; uncut {} {:.2f} %. Calibrated on {}.\nBytes and coding times: "
      "measured on {} pictures, framing included; accuracy: measured with the\npieces that ship; "
      "latency and energy: as the origin says. Seed {}.\n\n",
      document.model, document.untrained ? " (random weights)" : "", document.data,
      document.baseline.pictures, toString(document.baseline.metric),
      document.baseline.uncut.primary, document.calibration, codedPictures(document),
      document.seed);
  text += table.terminal();
  text += "\n" + goalLines(document) + "\n";
  for (const RegimeMap& map : document.regimes)
    text += formatRegimes(map, document.regime_labels) + "\n";
  for (const Sensitivity& sensitivity : document.sensitivities)
    text += formatSensitivity(document, sensitivity) + "\n";
  text += describeWork(document);
  text += fmt::format(
      "{:.1f} s. Deploy one: narrows split MODEL --design ID --store {} --out NAME.narrows\n",
      document.elapsed.value(), document.store);
  return text;
}

}  // namespace narrows
