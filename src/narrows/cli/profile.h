#pragma once

#include <span>
#include <string>

namespace narrows {

/// `narrows profile`: how fast this host runs networks and their layers, as a device profile.
int runProfile(std::span<const std::string> arguments);

}  // namespace narrows
