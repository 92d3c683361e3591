#pragma once

#include <span>
#include <string>

namespace narrows {

/// `narrows engine`: what an option of the engine costs and brings on a data set.
int runEngine(std::span<const std::string> arguments);

}  // namespace narrows
