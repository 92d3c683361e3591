#include "narrows/cli/command.h"

#include <exception>

#include "narrows/cli/arguments.h"

namespace narrows {

int runCommand(const Command& command, std::span<const std::string> arguments) {
  try {
    return command.run(arguments);
  } catch (const std::exception& error) {
    return reportFailure(command.name, Error{error.what()});
  }
}

}  // namespace narrows
