#pragma once

#include <span>
#include <string>
#include <vector>

#include "narrows/base/result.h"

namespace narrows {

/// `narrows design`.
int runDesign(std::span<const std::string> arguments);

/// The id of the best design in what `explore --json` printed: for the goal that was asked for,
/// else for the first of its objectives. The error says what is missing.
Result<std::string> bestDesign(const std::string& document);

}  // namespace narrows
