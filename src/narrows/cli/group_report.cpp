#include "narrows/cli/group_report.h"

#include <algorithm>

namespace narrows {
namespace {

std::string namesOf(const DeviceGroup& group, std::span<const DeviceId> devices) {
  std::vector<std::string> names;
  for (const DeviceId device : devices) {
    const std::string& name = group.devices[device.index()].name;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  constexpr std::size_t kShown = 8;
  if (names.size() <= kShown) return fmt::format("{}", fmt::join(names, " "));
  return fmt::format("{} and {} more", fmt::join(names.begin(), names.begin() + kShown, " "),
                     names.size() - kShown);
}

struct Words {
  std::string how;
  std::string where;
};

Words wordsOf(const DeviceGroup& group, const StageDivision& division) {
  if (const auto* whole = std::get_if<WholeStage>(&division)) {
    return {"whole", namesOf(group, {&whole->device, 1})};
  }
  if (const auto* grid = std::get_if<GridStage>(&division)) {
    return {fmt::format("{} x {} tiles", grid->rows.size(), grid->columns.size()),
            namesOf(group, grid->devices)};
  }
  if (const auto* filters = std::get_if<FilterStage>(&division)) {
    return {fmt::format("filters in {} slices", filters->shares.size()),
            namesOf(group, filters->devices)};
  }
  const auto& sums = std::get<SumStage>(division);
  return {fmt::format("partial sums of {} slices", sums.shares.size()),
          namesOf(group, sums.devices)};
}

double milliseconds(Seconds time) {
  return toMilliseconds(time);
}

}  // namespace

Table stageTable(const Graph& graph, const DeviceGroup& group, const GroupDesign& design) {
  Table table({{"stage", "stage"},
               {"first", "first layer"},
               {"last", "last layer"},
               {"nodes", "nodes"},
               {"division", "divided"},
               {"devices", "on"}});
  std::size_t begin = 0;
  for (std::size_t s = 0; s < design.stages.size(); ++s) {
    const GroupStage& stage = design.stages[s];
    const Words words = wordsOf(group, stage.division);
    table.add({static_cast<std::int64_t>(s), graph.nodes()[begin].name,
               graph.nodes()[stage.end - 1].name, static_cast<std::int64_t>(stage.end - begin),
               words.how, words.where});
    begin = stage.end;
  }
  return table;
}

Table deviceTable(const DeviceGroup& group, const Simulation& simulation) {
  Table table({{"device", "device"},
               {"compute_ms", "compute ms", 1},
               {"sent_kb", "sent kB", 1},
               {"received_kb", "received kB", 1},
               {"weights_mb", "weights MB", 2},
               {"maps_mb", "maps MB", 2},
               {"limit_mb", "limit MB", 0},
               {"energy_j", "energy J", 3}});
  for (std::size_t d = 0; d < group.devices.size(); ++d) {
    const SimulatedDevice& device = simulation.devices[d];
    std::vector<Cell> row{group.devices[d].name,
                          milliseconds(device.compute),
                          device.sent.value() / 1e3,
                          device.received.value() / 1e3,
                          static_cast<double>(device.weights) / 1e6,
                          static_cast<double>(device.activations) / 1e6,
                          std::monostate(),
                          std::monostate()};
    if (group.devices[d].memory) row[6] = *group.devices[d].memory / 1e6;
    if (device.energy) row[7] = device.energy->value();
    table.add(std::move(row));
  }
  return table;
}

Table trafficTable(const DeviceGroup& group, const Simulation& simulation) {
  const std::size_t count = group.devices.size();
  std::vector<double> bytes(count * count);
  std::size_t frames = 1;
  for (const TimelineEntry& entry : simulation.timeline) {
    frames = std::max(frames, entry.frame + 1);
    if (entry.to) bytes[entry.device * count + *entry.to] += entry.bytes.value();
  }
  std::vector<Column> columns{{"from", "kB from"}};
  for (const GroupDevice& device : group.devices) {
    columns.push_back({"to_" + device.name, "to " + device.name, 1});
  }
  Table table(std::move(columns));
  for (std::size_t from = 0; from < count; ++from) {
    std::vector<Cell> row{group.devices[from].name};
    for (std::size_t to = 0; to < count; ++to) {
      if (from == to) {
        row.emplace_back(std::monostate());
      } else {
        row.emplace_back(bytes[from * count + to] / 1e3 / static_cast<double>(frames));
      }
    }
    table.add(std::move(row));
  }
  return table;
}

Table timelineTable(const DeviceGroup& group, const Plan& plan, const Simulation& simulation) {
  Table table({{"begin_ms", "begin ms", 2},
               {"end_ms", "end ms", 2},
               {"frame", "frame"},
               {"device", "device"},
               {"to", "to"},
               {"what", "what"},
               {"kb", "kB", 1}});
  std::vector<TimelineEntry> entries = simulation.timeline;
  std::stable_sort(
      entries.begin(), entries.end(),
      [](const TimelineEntry& a, const TimelineEntry& b) { return a.start < b.start; });
  for (const TimelineEntry& entry : entries) {
    const std::string piece = entry.piece.valid() ? plan.piece(entry.piece).name : "input";
    std::vector<Cell> row{milliseconds(entry.start),
                          milliseconds(entry.end),
                          static_cast<std::int64_t>(entry.frame),
                          group.devices[entry.device].name,
                          std::monostate(),
                          piece,
                          std::monostate()};
    if (entry.to) {
      row[4] = group.devices[*entry.to].name;
      row[6] = entry.bytes.value() / 1e3;
    }
    table.add(std::move(row));
  }
  return table;
}

Table alternativeTable(const GroupPlanning& planning, GroupObjective objective) {
  Table table({{"plan", "instead"},
               {"value", std::string(toString(objective))},
               {"factor", "times", 2},
               {"fits", "fits"}});
  for (const GroupAlternative& other : planning.alternatives) {
    std::vector<Cell> row{other.name, valueText(other.value, objective), std::monostate(),
                          std::string(other.feasible ? "yes" : "no: memory")};
    if (planning.best.value > 0) row[2] = other.value / planning.best.value;
    table.add(std::move(row));
  }
  return table;
}

Table lossTable(const DeviceGroup& group, std::span<const DeviceLoss> losses, Seconds noticing) {
  Table table({{"lost", "if lost"},
               {"heir", "takes over"},
               {"weights_mb", "weights sent MB", 2},
               {"sending_ms", "in ms", 0},
               {"frame_ms", "frame then ms", 1},
               {"recovery_ms", "answer after ms", 0},
               {"missing_mb", "memory short MB", 1}});
  for (const DeviceLoss& loss : losses) {
    table.add({group.devices[loss.device].name, group.devices[loss.heir].name,
               loss.weights.value() / 1e6, milliseconds(loss.sending), milliseconds(loss.latency),
               milliseconds(loss.total(noticing)), loss.memory_missing / 1e6});
  }
  return table;
}

std::string valueText(double value, GroupObjective objective) {
  switch (objective) {
    case GroupObjective::latency:
      return fmt::format("{:.4g} ms", value * 1e3);
    case GroupObjective::throughput:
      return fmt::format("{:.4g} frames/s", 1 / value);
    case GroupObjective::traffic:
    case GroupObjective::memory:
      return fmt::format("{:.4g} MB", value / 1e6);
    case GroupObjective::energy:
      return fmt::format("{:.4g} J", value);
  }
  return "";
}

}  // namespace narrows
