#include "narrows/cli/training_launch.h"

#include <unistd.h>

#include <filesystem>
#include <vector>

#include "narrows/cli/arguments.h"
#include "narrows/cli/child_process.h"
#include "narrows/cli/command.h"
#include "narrows/cli/tighten_options.h"
#include "narrows/cli/train_options.h"

namespace narrows {
namespace {

constexpr std::string_view kProgram = "narrows-train";

/// Becomes narrows-train; returns only when that fails.
int goOn(const std::string& command, std::span<const std::string> arguments) {
  auto own = ownProgram();
  if (!own.ok()) return reportFailure(command, own.error());
  const std::string program = (std::filesystem::path(*own).parent_path() / kProgram).string();
  if (::access(program.c_str(), X_OK) != 0) {
    return reportFailure(command, makeError("{} is not there: scripts/build workbench "
                                            "narrows-train makes it, with libtorch (package "
                                            "libtorch-dev; docs/building.md)",
                                            program));
  }
  std::vector<std::string> words = {program, command};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execv(program.c_str(), argv.data());
  return reportFailure(command, makeError("cannot start {}", program));
}

}  // namespace

int runTrain(std::span<const std::string> arguments) {
  TrainOptions options;
  const auto outcome = parseTrain(arguments, options);
  if (outcome != Arguments::Outcome::run) return Arguments::exitCode(outcome);
  return goOn("train", arguments);
}

int runTighten(std::span<const std::string> arguments) {
  TightenOptions options;
  const auto outcome = parseTighten(arguments, options);
  if (outcome != Arguments::Outcome::run) return Arguments::exitCode(outcome);
  return goOn("tighten", arguments);
}

}  // namespace narrows
