#pragma once

#include <string_view>

#include "narrows/plan/plan.h"

namespace narrows {

/// The device that a server of this plan stands for: the one named, or the only one besides the
/// source when the name is empty. A plan of one device gives that one.
Result<DeviceId> servedDevice(const Plan& plan, std::string_view name);

}  // namespace narrows
