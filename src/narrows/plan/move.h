#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "narrows/plan/plan.h"

namespace narrows {

/// The same pieces elsewhere: what was on device d is on `to[d]`, the source and the sink likewise.
/// Devices stay in the plan, with nothing to do where all was moved away. An interface whose two
/// ends come to lie on one device is crossed no more: elements stay as they are there.
/// The new plan names no standbys: copies of weights are not waited for when a share has to move.
Result<Plan> moveDevices(const Plan& plan, std::span<const DeviceId> to);

/// Where the share of each device goes when only those that are `alive` are left: those stay; a
/// lost one's goes to its standby if that is left, otherwise to the device that then has the least
/// work, the heaviest share first. `work` and `alive` are by device. Fails when none is left.
Result<std::vector<DeviceId>> takeOver(const Plan& plan, std::span<const std::int64_t> work,
                                       const std::vector<bool>& alive);

}  // namespace narrows
