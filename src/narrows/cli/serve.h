#pragma once

#include <span>
#include <string>

namespace narrows {

/// `narrows serve`.
int runServe(std::span<const std::string> arguments);

}  // namespace narrows
