#include "narrows/cli/design_pricer.h"

#include <fmt/format.h>

#include <optional>

#include "narrows/cost/profiles.h"
#include "narrows/runtime/wire.h"

namespace narrows {
namespace {

constexpr double kMillion = 1e6;
constexpr double kSecondsPerHour = 3600;

/// Empty for this host.
Status readDevice(const std::string& name, std::optional<DeviceModel>& device) {
  if (name.empty()) return {};
  NARROWS_TRY(found, findDeviceModel(name));
  device = std::move(found);
  return {};
}

double millijoules(Joules energy) {
  return energy.value() * 1e3;
}

Cell numberIf(bool known, double value) {
  Cell cell;
  if (known) cell = value;
  return cell;
}

std::string describe(std::string_view role, const DeviceModel& device,
                     const std::optional<ComputeModel>& compute) {
  const std::string_view ground = !compute                                    ? "measured"
                                  : !compute->fromTable() && device.predictor ? "predicted"
                                  : !compute->fromTable() ? "from rates, modelled"
                                                          : "from its table of layers";
  return fmt::format("{} {}: {} ({})\n", role, device.name, device.summary, ground);
}

}  // namespace

void addCostOptions(CLI::App& app, CostOptions& options) {
  options.request_bytes = requestEnvelope();
  app.add_option("--link", options.links,
                 "Link: a name of narrows profiles, FILE.toml or a rate such as 10Mbit/s; may be "
                 "repeated")
      ->capture_default_str();
  app.add_option("--device", options.device, "Node: a name of narrows profiles or FILE.toml")
      ->capture_default_str();
  app.add_option("--server", options.server, "Server: a name of narrows profiles or FILE.toml")
      ->capture_default_str();
  app.add_option("--answer-bytes", options.answer_bytes,
                 "What the server sends back for a picture (0: nothing)")
      ->capture_default_str();
  app.add_option("--request-bytes", options.request_bytes,
                 "What the protocol puts around a picture's frames (0: nothing)")
      ->capture_default_str();
  app.add_option("--fps", options.frames_per_second,
                 "Show the node's energy at this frame rate, idle time included")
      ->check(CLI::PositiveNumber);
  app.add_option("--battery-wh", options.battery_wh, "With --fps: show how long a battery lasts")
      ->check(CLI::PositiveNumber);
}

Result<SplitSetting> readSetting(const CostOptions& options) {
  SplitSetting setting;
  NARROWS_CHECK(readDevice(options.device, setting.node).within("--device"));
  NARROWS_CHECK(readDevice(options.server, setting.server).within("--server"));
  if (options.links.empty()) return makeError("--link: give at least one");
  for (const std::string& name : options.links) {
    auto link = findLinkModel(name).within("--link");
    if (!link.ok()) return link.takeError();
    setting.links.push_back(std::move(*link));
  }
  setting.answer = Bytes(static_cast<double>(options.answer_bytes));
  setting.envelope = Bytes(static_cast<double>(options.request_bytes));
  return setting;
}

Result<DesignPricer> DesignPricer::create(const CostOptions& options, const Graph& graph) {
  NARROWS_TRY(setting, readSetting(options));
  NARROWS_TRY(splits, SplitPricer::create(std::move(setting), graph));
  return DesignPricer(options, std::move(splits));
}

std::vector<Column> DesignPricer::columns() const {
  std::vector<Column> columns{{"link", "link"},
                              {"node_compute_ms", "node compute ms", 2},
                              {"link_ms", "link ms", 2},
                              {"server_compute_ms", "server compute ms", 2},
                              {"latency_ms", "latency ms", 2},
                              {"frames_per_s", "frames/s", 1},
                              {"busiest", "busiest"},
                              {"node_compute_mj", "compute mJ", 2},
                              {"node_coding_mj", "coding mJ", 3},
                              {"node_link_mj", "link mJ", 3},
                              {"node_mj", "node mJ", 2},
                              {"server_mj", "server mJ", 1},
                              {"node_memory_mb", "node MB", 2}};
  if (splits_.node().memory) columns.push_back({"fits_node", "fits"});
  if (options_.frames_per_second > 0) {
    columns.push_back({"mj_at_rate", "mJ at rate", 1});
    if (options_.battery_wh > 0) columns.push_back({"battery_h", "battery h", 2});
  }
  columns.push_back({"cost_origin", "origin"});
  return columns;
}

std::vector<Cell> DesignPricer::cells(PlanPricer& pricer, Bytes bytes, Seconds encode,
                                      Seconds decode) const {
  const Price& price = splits_.price(pricer, bytes, encode, decode);
  const bool on_link = !price.radios.empty();
  const DevicePrice none;
  const DevicePrice& node = price.devices[0];
  const DevicePrice& server = price.devices.size() > 1 ? price.devices[1] : none;
  const bool node_power = splits_.node().compute_power.has_value();
  const bool server_power = splits_.server().compute_power.has_value();
  const std::string busiest = price.bottleneck_is_link      ? "link"
                              : price.bottleneck_index == 0 ? "node"
                                                            : "server";
  std::vector<Cell> cells{on_link ? pricer.setting().links[0].name : std::string("-"),
                          toMilliseconds(node.compute),
                          toMilliseconds(price.link_time + price.answer_time),
                          toMilliseconds(server.compute),
                          toMilliseconds(price.latency),
                          price.framesPerSecond(),
                          busiest,
                          numberIf(node_power, millijoules(node.compute_energy)),
                          numberIf(node_power, millijoules(node.coding_energy)),
                          millijoules(node.link_energy),
                          numberIf(node_power, millijoules(node.energy())),
                          numberIf(server_power, millijoules(server.energy())),
                          static_cast<double>(node.memory()) / kMillion};
  if (splits_.node().memory)
    cells.emplace_back(static_cast<double>(node.memory()) <= *splits_.node().memory);
  if (const double rate = options_.frames_per_second; rate > 0) {
    const auto energy = pricer.energyAtRate(price, 0, rate);
    cells.emplace_back(numberIf(energy.has_value(), millijoules(energy.value_or(Joules()))));
    if (options_.battery_wh > 0) {
      const auto life =
          pricer.batteryLife(price, 0, rate, Joules(options_.battery_wh * kSecondsPerHour));
      cells.emplace_back(
          numberIf(life.has_value(), life.value_or(Seconds()).value() / kSecondsPerHour));
    }
  }
  cells.emplace_back(std::string(toString(price.origin)));
  return cells;
}

std::string DesignPricer::legend() const {
  std::string text = describe("node", splits_.node(), splits_.nodeCompute());
  text += describe("server", splits_.server(), splits_.serverCompute());
  for (const LinkModel& link : splits_.links())
    text += fmt::format("link {}: {} (modelled)\n", link.name, link.summary);
  text +=
      "latency: critical path, answer included. node mJ: compute, coding and link of one frame, "
      "waiting left out.\n"
      "Sources of all figures: narrows profiles NAME.\n";
  return text;
}

}  // namespace narrows
