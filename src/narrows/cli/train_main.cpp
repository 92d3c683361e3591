#include <fmt/format.h>

#include <csignal>
#include <string>
#include <vector>

#include "narrows/cli/command.h"
#include "narrows/cli/train_command.h"

namespace {

int runTrain(std::span<const std::string> arguments) {
  narrows::TrainOptions options;
  const auto outcome = narrows::parseTrain(arguments, options);
  if (outcome != narrows::Arguments::Outcome::run) return narrows::Arguments::exitCode(outcome);
  return narrows::trainCommand(options);
}

int runTighten(std::span<const std::string> arguments) {
  narrows::TightenOptions options;
  const auto outcome = narrows::parseTighten(arguments, options);
  if (outcome != narrows::Arguments::Outcome::run) return narrows::Arguments::exitCode(outcome);
  return narrows::tightenCommand(options);
}

}  // namespace

/// narrows-train: the commands of `narrows` that need libtorch, which starts this program.
int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> words(argv + 1, argv + argc);
  const std::string command = words.empty() ? "" : words[0];
  const auto arguments = std::span(words).subspan(words.empty() ? 0 : 1);
  if (command == "train") return narrows::runCommand({"train", "", runTrain}, arguments);
  if (command == "tighten") return narrows::runCommand({"tighten", "", runTighten}, arguments);
  fmt::print(stderr, "narrows-train: expected train or tighten; use narrows train\n");
  return narrows::kExitUsage;
}
