#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace narrows {

/// Adds `--engine`, which takes the name of an engine that this program has.
CLI::Option* addEngineOption(CLI::App& app, std::string& engine, const std::string& help);

}  // namespace narrows
