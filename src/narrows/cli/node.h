#pragma once

#include <span>
#include <string>

namespace narrows {

/// `narrows node`.
int runNode(std::span<const std::string> arguments);

}  // namespace narrows
