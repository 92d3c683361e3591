#include "narrows/planner/group_planner.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "narrows/graph/cost.h"
#include "narrows/graph/liveness.h"
#include "narrows/planner/break_point.h"
#include "narrows/planner/pipeline_path.h"
#include "narrows/planner/stage_path.h"

namespace narrows {
namespace {

constexpr std::array<std::pair<std::string_view, GroupObjective>, 5> kObjectives{
    {{"latency", GroupObjective::latency},
     {"throughput", GroupObjective::throughput},
     {"traffic", GroupObjective::traffic},
     {"memory", GroupObjective::memory},
     {"energy", GroupObjective::energy}}};
constexpr std::size_t kRounds = 12;
/// Every count of devices up to this is tried.
constexpr std::size_t kSmallGroup = 8;
constexpr double kUnlimited = std::numeric_limits<double>::infinity();

double valueOf(const Simulation& simulation, GroupObjective objective) {
  switch (objective) {
    case GroupObjective::latency:
      return simulation.latency.value();
    case GroupObjective::throughput:
      return simulation.period.value();
    case GroupObjective::traffic:
      return simulation.traffic.value();
    case GroupObjective::memory:
      return static_cast<double>(simulation.largestMemory());
    case GroupObjective::energy:
      return simulation.energy().value();
  }
  return 0;
}

GroupDesign emptyDesign(const DeviceGroup& group) {
  GroupDesign design;
  for (const GroupDevice& device : group.devices) design.devices.push_back({device.name});
  design.source = DeviceId(group.source);
  design.sink = DeviceId(group.sink);
  return design;
}

/// A node's least time on a device: its overhead once, and its multiply-accumulates.
double nodeSeconds(const DeviceModel& device, std::int64_t macs) {
  return device.rates->op.value() + static_cast<double>(macs) / device.rates->macs_per_s;
}

/// No period is shorter: with devices weighted by w, which add up to 1, the busiest one works at
/// least as long as sum over d of w_d busy_d, and that is at least the sum over nodes of the least
/// w_d t_d, since shares of a node add up to a whole one.
double leastPeriod(const Graph& graph, const DeviceGroup& group) {
  double total_rate = 0;
  for (const GroupDevice& device : group.devices) total_rate += device.model.rates->macs_per_s;
  double bound = 0;
  for (const NodeId id : nodeIds(graph)) {
    const std::int64_t node_macs = macs(graph, id);
    double least = kUnlimited;
    for (const GroupDevice& device : group.devices) {
      const double weight = device.model.rates->macs_per_s / total_rate;
      least = std::min(least, weight * nodeSeconds(device.model, node_macs));
    }
    bound += least;
  }
  return bound;
}

/// No latency is shorter: an output waits for one part at least of each node on the longest chain
/// before it, and each costs its overhead.
double longestChain(const Graph& graph, const DeviceGroup& group) {
  double op = kUnlimited;
  for (const GroupDevice& device : group.devices) {
    op = std::min(op, device.model.rates->op.value());
  }
  std::vector<double> ready(graph.valueCount(), 0);
  double longest = 0;
  for (const Node& node : graph.nodes()) {
    double start = 0;
    for (const ValueId input : node.inputs) {
      if (input.valid()) start = std::max(start, ready[input.index()]);
    }
    for (const ValueId output : node.outputs) {
      ready[output.index()] = start + op;
      if (graph.isOutput(output)) longest = std::max(longest, start + op);
    }
  }
  return longest;
}

/// Each node costs at least what it costs over idling where that is least, and somebody waits as
/// long as the frame takes.
double leastEnergy(const Graph& graph, const DeviceGroup& group, double seconds) {
  double idle = kUnlimited;
  for (const GroupDevice& device : group.devices) {
    if (!device.model.compute_power) return 0;
    idle = std::min(idle, device.model.idle_power.value());
  }
  double bound = idle * seconds;
  for (const NodeId id : nodeIds(graph)) {
    double least = kUnlimited;
    for (const GroupDevice& device : group.devices) {
      const double over_idle =
          device.model.compute_power->value() - device.model.idle_power.value();
      least = std::min(least, over_idle * nodeSeconds(device.model, macs(graph, id)));
    }
    bound += std::max(0.0, least);
  }
  return bound;
}

/// Below what no plan can go, however it divides the network.
double lowerBound(const Graph& graph, const DeviceGroup& group, GroupObjective objective) {
  const bool all_state_rates =
      std::all_of(group.devices.begin(), group.devices.end(), [](const GroupDevice& device) {
        return device.model.rates && !device.model.predictor && device.model.tables.empty();
      });
  if (objective == GroupObjective::traffic) return 0;
  if (objective == GroupObjective::memory) {
    return static_cast<double>(peakMemory(graph).weights) /
           static_cast<double>(group.devices.size());
  }
  // A table of measured layers says nothing about parts of them.
  if (!all_state_rates) return 0;
  const double period = leastPeriod(graph, group);
  if (objective == GroupObjective::throughput) return period;
  const double latency = std::max(period, longestChain(graph, group));
  return objective == GroupObjective::latency ? latency : leastEnergy(graph, group, latency);
}

class Search {
 public:
  Search(const Graph& graph, const DeviceGroup& group, const GroupPlannerOptions& options)
      : graph_(graph), group_(group), options_(options) {}

  Result<GroupPlanning> run() {
    result_.bound = lowerBound(graph_, group_, options_.objective);
    for (std::size_t d = 0; d < group_.devices.size(); ++d) {
      GroupDesign design = emptyDesign(group_);
      design.stages = {{graph_.nodeCount(), WholeStage{DeviceId(d)}}};
      NARROWS_TRY(priced, offer(std::move(design)));
      result_.alternatives.push_back(
          {fmt::format("all on {}", group_.devices[d].name), priced.value, priced.fits});
    }
    NARROWS_CHECK(tryPublished());
    NARROWS_TRY(space, StageSpace::create(graph_, group_, options_.wire_ratio));
    const std::size_t count = group_.devices.size();
    // Paths that serve another objective may fit where those of this one do not.
    for (const auto& [name, guide] : kObjectives) {
      if (auto stages = bestPipeline(space, group_, graph_, guide)) {
        GroupDesign design = emptyDesign(group_);
        design.stages = std::move(*stages);
        NARROWS_CHECK(offer(std::move(design)));
      }
      for (std::size_t most = 1; most <= count; most += most < kSmallGroup ? 1 : count / 4) {
        NARROWS_CHECK(followPrices(space, most, guide));
      }
    }
    if (!best_) {
      return makeError("no plan fits: at best {:.3g} MB of memory are missing on one device",
                       least_missing_ / 1e6);
    }
    result_.best = std::move(*best_);
    return std::move(result_);
  }

 private:
  struct Outcome {
    double value = 0;
    bool fits = false;
    // By device: bytes that lack, 0 or more; bytes used; seconds of computing.
    std::vector<double> missing;
    std::vector<double> memory;
    std::vector<double> compute;
  };

  Result<Outcome> offer(GroupDesign design) {
    NARROWS_TRY(priced, priceDesign(graph_, group_, std::move(design), options_));
    ++result_.candidates;
    Outcome outcome{priced.value, priced.feasible(), {}, {}, {}};
    for (std::size_t d = 0; d < group_.devices.size(); ++d) {
      const SimulatedDevice& device = priced.simulation.devices[d];
      const auto memory = static_cast<double>(device.memory());
      const double limit = group_.devices[d].memory.value_or(kUnlimited);
      outcome.missing.push_back(std::max(0.0, memory - limit));
      outcome.memory.push_back(memory);
      outcome.compute.push_back(device.compute.value());
    }
    least_missing_ = std::min(least_missing_, priced.memory_missing);
    if (priced.feasible() && (!best_ || priced.value < best_->value)) best_ = std::move(priced);
    return outcome;
  }

  Status tryPublished() {
    const auto layers = slicedLayers(graph_);
    if (layers.empty() || group_.devices.size() < 2) return {};
    const auto count = static_cast<std::int64_t>(group_.devices.size());
    const std::size_t first = bestBreakPoint(layers, count).layer;
    auto design = publishedScheme(graph_, group_, first, true, 3, 3);
    if (!design.ok()) return {};  // a network that the scheme cannot express
    NARROWS_TRY(priced, offer(std::move(*design)));
    result_.alternatives.push_back({"the scheme of DeeperThings", priced.value, priced.fits});
    return {};
  }

  StagePrices startPrices(GroupObjective guide) const {
    StagePrices prices;
    const std::size_t count = group_.devices.size();
    prices.busy.assign(count, 0);
    prices.weight.assign(count, 0);
    for (const GroupDevice& device : group_.devices) {
      prices.memory.push_back(device.memory.value_or(kUnlimited));
    }
    switch (guide) {
      case GroupObjective::latency:
        prices.second = 1;
        break;
      case GroupObjective::traffic:
        prices.byte = 1;
        prices.second = 1e-3;  // among equals the fast one
        break;
      case GroupObjective::throughput:
        prices.busy.assign(count, 1);
        prices.second = 1e-3;
        break;
      case GroupObjective::memory:
        prices.second = 1e-6;
        prices.weight.assign(count, 1e-6);
        break;
      case GroupObjective::energy:
        for (std::size_t d = 0; d < count; ++d) {
          const DeviceModel& model = group_.devices[d].model;
          if (model.compute_power) {
            prices.busy[d] = model.compute_power->value() - model.idle_power.value();
          }
          prices.second += model.idle_power.value();
        }
        break;
    }
    return prices;
  }

  /// Path after path: where memory lacks, weights become dearer; where a device is the one that
  /// limits, its work does.
  Status followPrices(const StageSpace& space, std::size_t most_devices, GroupObjective guide) {
    StagePrices prices = startPrices(guide);
    prices.most_devices = most_devices;
    const bool limited_by_one =
        guide == GroupObjective::throughput || guide == GroupObjective::memory;
    std::vector<std::size_t> last;
    for (std::size_t round = 0; round < kRounds; ++round) {
      const StagePath path = cheapestPath(space, group_, prices);
      if (path.stages.empty()) return {};
      if (path.stages == last && !limited_by_one) break;
      last = path.stages;
      GroupDesign design = emptyDesign(group_);
      design.stages = space.designOf(path.stages);
      NARROWS_TRY(outcome, offer(std::move(design)));
      if (outcome.fits && !limited_by_one) break;
      raise(prices, outcome, path.price, guide);
    }
    return {};
  }

  void raise(StagePrices& prices, const Outcome& outcome, double path_price,
             GroupObjective guide) const {
    const std::vector<double>& loads =
        guide == GroupObjective::memory ? outcome.memory : outcome.compute;
    const auto weights = static_cast<double>(peakMemory(graph_).weights);
    const double worst = *std::max_element(loads.begin(), loads.end());
    for (std::size_t d = 0; d < group_.devices.size(); ++d) {
      if (outcome.missing[d] > 0) {
        const double least = 0.01 * path_price / std::max(1.0, weights);
        prices.weight[d] = std::max(prices.weight[d] * 2, least);
      }
      if (!(worst > 0)) continue;
      // Multiplicative weights (Arora, Hazan and Kale 2012): the loaded become dear.
      const double factor = std::exp(loads[d] / worst - 0.5);
      if (guide == GroupObjective::throughput) prices.busy[d] *= factor;
      if (guide == GroupObjective::memory) prices.weight[d] *= factor;
    }
  }

  const Graph& graph_;
  const DeviceGroup& group_;
  const GroupPlannerOptions& options_;
  GroupPlanning result_;
  std::optional<PricedPlan> best_;
  double least_missing_ = kUnlimited;
};

}  // namespace

std::string_view toString(GroupObjective objective) {
  for (const auto& [name, value] : kObjectives) {
    if (value == objective) return name;
  }
  return "";
}

std::optional<GroupObjective> parseGroupObjective(std::string_view name) {
  for (const auto& [known, value] : kObjectives) {
    if (known == name) return value;
  }
  return std::nullopt;
}

std::string_view unitOf(GroupObjective objective) {
  switch (objective) {
    case GroupObjective::latency:
    case GroupObjective::throughput:
      return "s";
    case GroupObjective::traffic:
    case GroupObjective::memory:
      return "B";
    case GroupObjective::energy:
      return "J";
  }
  return "";
}

double GroupPlanning::gap() const {
  if (best.value == bound) return 0;
  return bound > 0 ? best.value / bound - 1 : std::numeric_limits<double>::infinity();
}

Result<PricedPlan> priceDesign(const Graph& graph, const DeviceGroup& group, GroupDesign design,
                               const GroupPlannerOptions& options) {
  PricedPlan priced;
  priced.design = std::move(design);
  NARROWS_TRY(split, buildGroupPlan(graph, priced.design));
  priced.split = std::move(split);
  NARROWS_TRY(costs, groupCosts(group, graph, priced.split.plan, priced.split.pieces));
  priced.costs = std::move(costs);
  NARROWS_CHECK(repriceTransfers(priced, group, options, {}));
  for (std::size_t d = 0; d < group.devices.size(); ++d) {
    const double limit = group.devices[d].memory.value_or(kUnlimited);
    const auto used = static_cast<double>(priced.simulation.devices[d].memory());
    priced.memory_missing = std::max(priced.memory_missing, used - limit);
  }
  return priced;
}

Status repriceTransfers(PricedPlan& plan, const DeviceGroup& group,
                        const GroupPlannerOptions& options,
                        std::span<const double> transfer_bytes) {
  SimulationOptions simulate;
  simulate.frame_overhead = options.frame_overhead;
  simulate.wire_ratio = options.wire_ratio;
  for (const double bytes : transfer_bytes) simulate.transfers.push_back({Bytes(bytes), {}, {}});
  if (options.objective == GroupObjective::throughput) {
    simulate.in_flight = options.in_flight;
    simulate.frames = 4 * options.in_flight;
  }
  NARROWS_TRY(simulation, simulateGroup(group, plan.split.plan, plan.costs, simulate));
  plan.simulation = std::move(simulation);
  plan.value = valueOf(plan.simulation, options.objective);
  return {};
}

Result<GroupPlanning> planGroup(const Graph& graph, const DeviceGroup& group,
                                const GroupPlannerOptions& options) {
  if (group.devices.empty()) return makeError("the group has no devices");
  return Search(graph, group, options).run();
}

}  // namespace narrows
