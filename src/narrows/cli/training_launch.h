#pragma once

#include <span>
#include <string>

namespace narrows {

/// `narrows train` and `narrows tighten`: they check their options and go on as the program
/// narrows-train, so that no other command loads libtorch.
int runTrain(std::span<const std::string> arguments);
int runTighten(std::span<const std::string> arguments);

}  // namespace narrows
