#pragma once

#include <span>
#include <string>

namespace narrows {

/// `narrows profiles`.
int runProfiles(std::span<const std::string> arguments);

}  // namespace narrows
