#pragma once

#include <span>
#include <string>

namespace narrows {

/// `narrows price`.
int runPrice(std::span<const std::string> arguments);

}  // namespace narrows
