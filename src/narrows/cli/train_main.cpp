#include <fmt/format.h>

#include <csignal>
#include <string>
#include <vector>

#include "narrows/cli/command.h"
#include "narrows/cli/train_command.h"

/// narrows-train: the commands of `narrows` that need libtorch, which starts this program.
int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> words(argv + 1, argv + argc);
  const std::string command = words.empty() ? "" : words[0];
  const auto arguments = std::span(words).subspan(words.empty() ? 0 : 1);
  if (command == "train") {
    narrows::TrainOptions options;
    const auto outcome = narrows::parseTrain(arguments, options);
    if (outcome != narrows::Arguments::Outcome::run) return narrows::Arguments::exitCode(outcome);
    return narrows::trainCommand(options);
  }
  if (command == "tighten") {
    narrows::TightenOptions options;
    const auto outcome = narrows::parseTighten(arguments, options);
    if (outcome != narrows::Arguments::Outcome::run) return narrows::Arguments::exitCode(outcome);
    return narrows::tightenCommand(options);
  }
  fmt::print(stderr, "narrows-train: expected train or tighten; use narrows train\n");
  return narrows::kExitUsage;
}
