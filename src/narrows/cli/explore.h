#pragma once

#include <span>
#include <string>

namespace narrows {

/// `narrows explore`.
int runExplore(std::span<const std::string> arguments);

}  // namespace narrows
