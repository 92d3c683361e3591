#pragma once

#include <span>
#include <string>

namespace narrows {

/// `narrows measure`: splits of a model run for real over a shaped link, the prediction beside.
int runMeasure(std::span<const std::string> arguments);

}  // namespace narrows
