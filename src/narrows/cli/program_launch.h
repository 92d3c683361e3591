#pragma once

#include <span>
#include <string>
#include <string_view>

namespace narrows {

/// Becomes `program`, which lies beside this one; returns an exit code only when that fails.
/// `origin` tells where the program comes from.
int becomeProgram(std::string_view command, std::string_view program,
                  std::span<const std::string> arguments, std::string_view origin);

}  // namespace narrows
