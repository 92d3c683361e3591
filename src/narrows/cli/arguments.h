#pragma once

#include <CLI/CLI.hpp>
#include <span>
#include <string>
#include <string_view>

#include "narrows/base/result.h"

namespace narrows {

/// The options of one subcommand: a CLI11 application with our conventions on top: a one-line
/// description, an example at the end of `--help`, exit code 2 for wrong usage.
class Arguments {
 public:
  /// `example` is shown under "Example:" in the help; several lines are allowed.
  Arguments(std::string_view command, std::string_view description, std::string_view example);

  CLI::App& app() { return app_; }

  enum class Outcome { run, help, usage_error };
  /// Prints help on stdout or the error on stderr when the outcome is not `run`.
  Outcome parse(std::span<const std::string> arguments);
  /// Exit code of an outcome other than `run`.
  static int exitCode(Outcome outcome);

 private:
  CLI::App app_;
  std::string command_;
};

/// "narrows COMMAND: MESSAGE" on stderr; returns the failure exit code.
int reportFailure(std::string_view command, const Error& error);

}  // namespace narrows
