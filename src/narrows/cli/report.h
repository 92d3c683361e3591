#pragma once

#include <span>
#include <string>

namespace narrows {

/// `narrows report`.
int runReport(std::span<const std::string> arguments);

}  // namespace narrows
