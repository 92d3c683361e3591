#pragma once

#include <span>
#include <string>

namespace narrows {

/// `narrows run`.
int runGroupCommand(std::span<const std::string> arguments);

}  // namespace narrows
