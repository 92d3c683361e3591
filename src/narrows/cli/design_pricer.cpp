#include "narrows/cli/design_pricer.h"

#include <fmt/format.h>

#include "narrows/cost/profiles.h"
#include "narrows/graph/liveness.h"

namespace narrows {
namespace {

constexpr double kMillion = 1e6;
constexpr double kSecondsPerHour = 3600;

DeviceModel thisHost() {
  DeviceModel host;
  host.name = "this host";
  host.summary = "times measured here, one thread; power not known";
  return host;
}

Status readDevice(const std::string& name, const Graph& graph, DeviceModel& device,
                  std::optional<ComputeModel>& compute) {
  if (name.empty()) {
    device = thisHost();
    return {};
  }
  NARROWS_TRY(found, findDeviceModel(name));
  NARROWS_TRY(model, ComputeModel::create(found, graph));
  device = std::move(found);
  compute = std::move(model);
  return {};
}

PieceCost measuredPiece(Seconds time, const Graph& piece) {
  PieceCost cost;
  cost.time = time;
  cost.origin = Origin::measured;
  const MemoryNeed memory = peakMemory(piece);
  cost.weights = memory.weights;
  cost.activations = memory.activations;
  return cost;
}

double millijoules(Joules energy) {
  return energy.value() * 1e3;
}

Cell numberIf(bool known, double value) {
  Cell cell;
  if (known) cell = value;
  return cell;
}

bool crosses(const Plan& plan, const Transfer& transfer) {
  return plan.deviceOf(transfer.source, true) != plan.deviceOf(transfer.destination, false);
}

std::string describe(std::string_view role, const DeviceModel& device,
                     const std::optional<ComputeModel>& compute) {
  const std::string_view ground = !compute                ? "measured"
                                  : !compute->fromTable() ? "from rates, modelled"
                                                          : "from its table of layers";
  return fmt::format("{} {}: {} ({})\n", role, device.name, device.summary, ground);
}

}  // namespace

void addCostOptions(CLI::App& app, CostOptions& options) {
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
  app.add_option("--fps", options.frames_per_second,
                 "Show the node's energy at this frame rate, idle time included")
      ->check(CLI::PositiveNumber);
  app.add_option("--battery-wh", options.battery_wh, "With --fps: show how long a battery lasts")
      ->check(CLI::PositiveNumber);
}

Result<DesignPricer> DesignPricer::create(const CostOptions& options, const Graph& graph) {
  DesignPricer pricer(options, graph);
  NARROWS_CHECK(
      readDevice(options.device, graph, pricer.node_, pricer.node_compute_).within("--device"));
  NARROWS_CHECK(
      readDevice(options.server, graph, pricer.server_, pricer.server_compute_).within("--server"));
  if (options.links.empty()) return makeError("--link: give at least one");
  for (const std::string& name : options.links) {
    auto link = findLinkModel(name).within("--link");
    if (!link.ok()) return link.takeError();
    pricer.links_.push_back(std::move(*link));
  }
  return pricer;
}

Result<std::vector<PlanPricer>> DesignPricer::make(const SplitModel& split,
                                                   const HostTimes& times) const {
  PlanSetting setting;
  for (const Device& device : split.plan.devices) {
    const bool is_server = device.name == kServerDevice;
    setting.devices.push_back(is_server ? server_ : node_);
    setting.cabled.push_back(is_server);
  }
  setting.answer = Bytes(static_cast<double>(options_.answer_bytes));
  std::vector<PieceCost> pieces;
  for (std::size_t i = 0; i < split.pieces.size(); ++i) {
    const std::size_t device = split.plan.pieces[i].device.index();
    const bool is_server = split.plan.devices[device].name == kServerDevice;
    const std::optional<ComputeModel>& compute = is_server ? server_compute_ : node_compute_;
    if (!compute) {
      pieces.push_back(measuredPiece(is_server ? times.server : times.node, split.pieces[i]));
      continue;
    }
    NARROWS_TRY(cost, compute->cost(split.pieces[i]));
    pieces.push_back(cost);
  }
  std::vector<PlanPricer> pricers;
  for (const LinkModel& link : links_) {
    setting.links = {link};
    NARROWS_TRY(pricer, PlanPricer::create(split.plan, setting, pieces));
    pricers.push_back(std::move(pricer));
    bool crossed = false;
    for (const Transfer& transfer : split.plan.transfers)
      crossed = crossed || crosses(split.plan, transfer);
    if (!crossed) break;
  }
  return pricers;
}

Result<std::vector<PlanPricer>> DesignPricer::forCut(const Cut& cut, const HostTimes& times) const {
  std::vector<FeatureInterface> interfaces;
  for (ValueId value : cut.values) interfaces.push_back(plainInterface(graph_->type(value)));
  NARROWS_TRY(split, splitAt(*graph_, cut, std::move(interfaces)));
  return make(split, times);
}

Result<std::vector<PlanPricer>> DesignPricer::forPicture(const ImageInterface& interface,
                                                         const HostTimes& times) const {
  NARROWS_TRY(split, allOnServer(*graph_, interface));
  return make(split, times);
}

Result<std::vector<PlanPricer>> DesignPricer::onNode(const HostTimes& times) const {
  NARROWS_TRY(split, allOnNode(*graph_));
  return make(split, times);
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
  if (node_.memory) columns.push_back({"fits_node", "fits"});
  if (options_.frames_per_second > 0) {
    columns.push_back({"mj_at_rate", "mJ at rate", 1});
    if (options_.battery_wh > 0) columns.push_back({"battery_h", "battery h", 2});
  }
  columns.push_back({"cost_origin", "origin"});
  return columns;
}

std::vector<Cell> DesignPricer::cells(PlanPricer& pricer, Bytes bytes, Seconds encode,
                                      Seconds decode) const {
  std::vector<FrameCost> frames(pricer.transferCount());
  // All tensors of a cut travel in one message.
  if (const auto first = pricer.firstCrossing()) {
    frames[*first] = {bytes, node_.coding_slowdown * encode, server_.coding_slowdown * decode};
  }
  const Price& price = pricer.price(frames);
  const bool on_link = !price.radios.empty();
  const DevicePrice none;
  const DevicePrice& node = price.devices[0];
  const DevicePrice& server = price.devices.size() > 1 ? price.devices[1] : none;
  const bool node_power = node_.compute_power.has_value();
  const bool server_power = server_.compute_power.has_value();
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
  if (node_.memory) cells.emplace_back(static_cast<double>(node.memory()) <= *node_.memory);
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
  std::string text = describe("node", node_, node_compute_);
  text += describe("server", server_, server_compute_);
  for (const LinkModel& link : links_)
    text += fmt::format("link {}: {} (modelled)\n", link.name, link.summary);
  text +=
      "latency: critical path, answer included. node mJ: compute, coding and link of one frame, "
      "waiting left out.\n"
      "Sources of all figures: narrows profiles NAME.\n";
  return text;
}

}  // namespace narrows
