#pragma once

#include <span>

#include "narrows/plan/plan.h"

namespace narrows {

/// The same pieces elsewhere: what was on device d is on `to[d]`, the source and the sink likewise.
/// Devices stay in the plan, with nothing to do where all was moved away. An interface whose two
/// ends come to lie on one device is crossed no more: elements stay as they are there.
Result<Plan> moveDevices(const Plan& plan, std::span<const DeviceId> to);

}  // namespace narrows
