#pragma once

#include <span>
#include <string>

namespace narrows {

/// `narrows worker`.
int runWorkerCommand(std::span<const std::string> arguments);

}  // namespace narrows
