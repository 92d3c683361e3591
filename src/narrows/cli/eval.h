#pragma once

#include <span>
#include <string>

namespace narrows {

/// `narrows eval`.
int runEval(std::span<const std::string> arguments);

}  // namespace narrows
