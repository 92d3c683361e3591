#include "narrows/cli/engine_option.h"

#include <vector>

#include "narrows/engine/engine.h"

namespace narrows {

CLI::Option* addEngineOption(CLI::App& app, std::string& engine, const std::string& help) {
  std::vector<std::string> names;
  for (std::string_view name : engineNames()) names.emplace_back(name);
  return app.add_option("--engine", engine, help)->check(CLI::IsMember(names));
}

}  // namespace narrows
