#include "narrows/plan/move.h"

#include <algorithm>
#include <optional>

namespace narrows {
namespace {

/// Leaves out the interfaces that no transfer names.
void dropUnusedInterfaces(Plan& plan) {
  std::vector<bool> used(plan.interfaces.size(), false);
  for (const Transfer& transfer : plan.transfers) {
    if (transfer.interface.valid()) used[transfer.interface.index()] = true;
  }
  std::vector<InterfaceParams> kept;
  std::vector<InterfaceId> place(plan.interfaces.size());
  for (std::size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) continue;
    place[i] = InterfaceId(kept.size());
    kept.push_back(plan.interfaces[i]);
  }
  for (Transfer& transfer : plan.transfers) {
    if (transfer.interface.valid()) transfer.interface = place[transfer.interface.index()];
  }
  plan.interfaces = std::move(kept);
}

}  // namespace

Result<Plan> moveDevices(const Plan& plan, std::span<const DeviceId> to) {
  if (to.size() != plan.devices.size()) {
    return makeError("new places for {} devices, the plan has {}", to.size(), plan.devices.size());
  }
  for (const DeviceId device : to) {
    if (!device.valid() || device.index() >= plan.devices.size()) {
      return makeError("a new place that is no device of the plan");
    }
  }
  Plan moved = plan;
  for (Piece& piece : moved.pieces) piece.device = to[piece.device.index()];
  moved.source_device = to[plan.source_device.index()];
  moved.sink_device = to[plan.sink_device.index()];
  for (Transfer& transfer : moved.transfers) {
    if (moved.deviceOf(transfer.source, true) == moved.deviceOf(transfer.destination, false)) {
      transfer.interface = InterfaceId();
    }
  }
  for (Device& device : moved.devices) device.standby = DeviceId();
  dropUnusedInterfaces(moved);
  NARROWS_CHECK(checkPlan(moved));
  return moved;
}

Result<std::vector<DeviceId>> takeOver(const Plan& plan, std::span<const std::int64_t> work,
                                       const std::vector<bool>& alive) {
  const std::size_t count = plan.devices.size();
  NARROWS_ASSERT(work.size() == count && alive.size() == count);
  std::vector<DeviceId> to;
  std::vector<std::int64_t> load(work.begin(), work.end());
  std::vector<std::size_t> lost;
  for (std::size_t d = 0; d < count; ++d) {
    to.emplace_back(d);
    if (!alive[d]) lost.push_back(d);
  }
  // The heaviest share first, so that the others can even it out.
  std::stable_sort(lost.begin(), lost.end(),
                   [&](std::size_t a, std::size_t b) { return load[a] > load[b]; });
  for (const std::size_t from : lost) {
    std::optional<std::size_t> heir;
    for (std::size_t d = 0; d < count; ++d) {
      if (alive[d] && (!heir || load[d] < load[*heir])) heir = d;
    }
    const DeviceId standby = plan.devices[from].standby;
    if (standby.valid() && alive[standby.index()]) heir = standby.index();
    if (!heir) return makeError("no device is left");
    to[from] = DeviceId(*heir);
    load[*heir] += load[from];
  }
  return to;
}

}  // namespace narrows
