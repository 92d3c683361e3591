#pragma once

#include <span>
#include <string>
#include <string_view>

namespace narrows {

/// Exit codes of every command.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;

/// One subcommand of `narrows`. `run` gets the arguments after the subcommand's name, does all its
/// printing itself and returns an exit code.
struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(std::span<const std::string> arguments);
};

/// Runs a subcommand. What a library throws on the way, such as a write to a reader that went away,
/// becomes one line on stderr and the failure exit code.
int runCommand(const Command& command, std::span<const std::string> arguments);

/// All subcommands of this build, in the order in which help lists them.
std::span<const Command> commands();

}  // namespace narrows
