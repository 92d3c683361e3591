#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "narrows/cli/table.h"

namespace narrows {

/// --json and --csv.
struct OutputOptions {
  bool json = false;
  bool csv = false;

  OutputFormat format() const {
    return json ? OutputFormat::json : csv ? OutputFormat::csv : OutputFormat::terminal;
  }
};

void addOutputOptions(CLI::App& app, OutputOptions& options);

}  // namespace narrows
