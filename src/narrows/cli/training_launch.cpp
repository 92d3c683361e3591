#include "narrows/cli/training_launch.h"

#include <vector>

#include "narrows/cli/arguments.h"
#include "narrows/cli/program_launch.h"
#include "narrows/cli/tighten_options.h"
#include "narrows/cli/train_options.h"

namespace narrows {
namespace {

int goOn(const std::string& command, std::span<const std::string> arguments) {
  std::vector<std::string> words = {command};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return becomeProgram(command, "narrows-train", words,
                       "scripts/build workbench narrows-train makes it, with libtorch (package "
                       "libtorch-dev; docs/building.md)");
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
