#pragma once

#include <span>
#include <string>

namespace narrows {

/// `narrows demo`.
int runDemo(std::span<const std::string> arguments);

}  // namespace narrows
