#pragma once

#include <span>
#include <string>

namespace narrows {

/// `narrows plan`: spreads a network over a group of devices.
int runPlan(std::span<const std::string> arguments);

}  // namespace narrows
