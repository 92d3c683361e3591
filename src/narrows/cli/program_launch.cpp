#include "narrows/cli/program_launch.h"

#include <unistd.h>

#include <filesystem>
#include <vector>

#include "narrows/base/argument_vector.h"
#include "narrows/cli/arguments.h"
#include "narrows/cli/child_process.h"

namespace narrows {

int becomeProgram(std::string_view command, std::string_view program,
                  std::span<const std::string> arguments, std::string_view origin) {
  auto own = ownProgram();
  if (!own.ok()) return reportFailure(command, own.error());
  const std::string path = (std::filesystem::path(*own).parent_path() / program).string();
  if (::access(path.c_str(), X_OK) != 0) {
    return reportFailure(command, makeError("{} is not there: {}", path, origin));
  }
  std::vector<std::string> words = {path};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const std::vector<char*> argv = argumentVector(words);
  ::execv(path.c_str(), argv.data());
  return reportFailure(command, makeError("cannot start {}", path));
}

}  // namespace narrows
