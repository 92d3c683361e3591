#include "narrows/plan/move.h"

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
  dropUnusedInterfaces(moved);
  NARROWS_CHECK(checkPlan(moved));
  return moved;
}

}  // namespace narrows
