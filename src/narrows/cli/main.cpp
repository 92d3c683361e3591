#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "narrows/cli/command.h"

namespace {

void printHelp(std::FILE* stream) {
  fmt::print(stream,
             "narrows cuts a trained CNN where it is narrow, tightens the cut, prices it and runs "
             "the pieces.\n\n"
             "Usage: narrows COMMAND [OPTIONS]\n\nCommands:\n");
  for (const narrows::Command& command : narrows::commands()) {
    fmt::print(stream, "  {:<10}{}\n", command.name, command.summary);
  }
  fmt::print(stream,
             "\nnarrows COMMAND --help shows the options and an example.\n"
             "Exit codes: 0 ok, 1 failure, 2 wrong usage.\n");
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that goes away must not kill a server or a half-written file.
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.empty()) {
    printHelp(stderr);
    return narrows::kExitUsage;
  }
  const std::string& name = arguments[0];
  if (name == "--help" || name == "-h" || name == "help") {
    printHelp(stdout);
    return narrows::kExitOk;
  }
  if (name == "--version") {
    fmt::print("narrows {}\n", NARROWS_VERSION);
    return narrows::kExitOk;
  }
  const auto commands = narrows::commands();
  const auto found =
      std::find_if(commands.begin(), commands.end(),
                   [&](const narrows::Command& command) { return command.name == name; });
  if (found == commands.end()) {
    fmt::print(stderr, "narrows: there is no command \"{}\"; narrows --help lists them\n", name);
    return narrows::kExitUsage;
  }
  return narrows::runCommand(*found, std::span(arguments).subspan(1));
}
