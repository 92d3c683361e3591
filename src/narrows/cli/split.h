#pragma once

#include <span>
#include <string>

namespace narrows {

/// `narrows split`.
int runSplit(std::span<const std::string> arguments);

}  // namespace narrows
