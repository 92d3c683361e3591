#pragma once

#include <span>
#include <string>

namespace narrows {

/// `narrows analyze`.
int runAnalyze(std::span<const std::string> arguments);

}  // namespace narrows
