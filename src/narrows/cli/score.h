#pragma once

#include <span>
#include <string>

namespace narrows {

/// `narrows score`: what bundles reach on a data set beside the uncut network, with intervals.
int runScore(std::span<const std::string> arguments);

}  // namespace narrows
