#include "narrows/planner/recovery.h"

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "narrows/graph/cost.h"
#include "narrows/plan/move.h"

namespace narrows {
namespace {

/// By device: bytes of its pieces' weights.
std::vector<double> weightsOf(const PricedPlan& priced) {
  const Plan& plan = priced.split.plan;
  std::vector<double> weights(plan.devices.size(), 0);
  for (std::size_t p = 0; p < plan.pieces.size(); ++p) {
    weights[plan.pieces[p].device.index()] += static_cast<double>(priced.costs[p].weights);
  }
  return weights;
}

bool hasPieces(const Plan& plan, std::size_t device) {
  return std::any_of(plan.pieces.begin(), plan.pieces.end(),
                     [&](const Piece& piece) { return piece.device.index() == device; });
}

}  // namespace

Result<std::vector<DeviceLoss>> deviceLosses(const Graph& graph, const DeviceGroup& group,
                                             const PricedPlan& priced,
                                             const GroupPlannerOptions& options) {
  const Plan& plan = priced.split.plan;
  const std::size_t count = plan.devices.size();
  std::vector<DeviceLoss> losses;
  if (count < 2) return losses;
  const std::vector<double> weights = weightsOf(priced);
  std::vector<std::int64_t> work(count, 0);
  for (std::size_t p = 0; p < plan.pieces.size(); ++p) {
    work[plan.pieces[p].device.index()] += cost(priced.split.pieces[p]).macs;
  }
  SimulationOptions simulate;
  simulate.frame_overhead = options.frame_overhead;
  simulate.wire_ratio = options.wire_ratio;
  for (std::size_t d = 0; d < count; ++d) {
    if (!hasPieces(plan, d)) continue;
    std::vector<bool> alive(count, true);
    alive[d] = false;
    NARROWS_TRY(to, takeOver(plan, work, alive));
    NARROWS_TRY(moved, moveDevices(plan, to));
    NARROWS_TRY(costs, groupCosts(group, graph, moved, priced.split.pieces));
    NARROWS_TRY(simulation, simulateGroup(group, moved, costs, simulate));
    DeviceLoss loss;
    loss.device = d;
    loss.heir = to[d].index();
    loss.latency = simulation.latency;
    if (plan.devices[d].standby != to[d]) loss.weights = Bytes(weights[d]);
    const std::size_t custody = moved.source_device.index();
    if (loss.weights.value() > 0 && custody != loss.heir) {
      loss.sending = groupMessageTime(group, custody, loss.heir, loss.weights).arrival();
    }
    if (const auto& limit = group.devices[loss.heir].memory) {
      const auto used = static_cast<double>(simulation.devices[loss.heir].memory());
      loss.memory_missing = std::max(0.0, used - *limit);
    }
    losses.push_back(loss);
  }
  return losses;
}

void nameStandbys(PricedPlan& priced) {
  Plan& plan = priced.split.plan;
  const std::size_t count = plan.devices.size();
  if (count < 2) return;
  const std::vector<double> weights = weightsOf(priced);
  std::vector<double> kept = weights;
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return weights[a] > weights[b]; });
  for (const std::size_t d : order) {
    if (!hasPieces(plan, d)) continue;
    std::size_t standby = d == 0 ? 1 : 0;
    for (std::size_t other = 0; other < count; ++other) {
      if (other != d && kept[other] < kept[standby]) standby = other;
    }
    plan.devices[d].standby = DeviceId(standby);
    kept[standby] += weights[d];
  }
}

}  // namespace narrows
