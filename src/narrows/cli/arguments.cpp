#include "narrows/cli/arguments.h"

#include <fmt/format.h>

#include <cstdio>
#include <vector>

#include "narrows/cli/command.h"

namespace narrows {

Arguments::Arguments(std::string_view command, std::string_view description,
                     std::string_view example)
    : app_(std::string(description), fmt::format("narrows {}", command)), command_(command) {
  app_.footer(fmt::format("Example:\n  {}", example));
  app_.get_formatter()->column_width(34);
}

Arguments::Outcome Arguments::parse(std::span<const std::string> arguments) {
  // One word for each time an option is given: what follows it may be a model.
  for (CLI::Option* option : app_.get_options()) {
    if (!option->get_positional()) option->allow_extra_args(false);
  }
  // CLI11 takes the arguments in reverse order.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app_.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app_.help());
    return Outcome::help;
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "narrows {}: {}\nnarrows {} --help lists the options\n", command_,
               error.what(), command_);
    return Outcome::usage_error;
  }
  return Outcome::run;
}

int Arguments::exitCode(Outcome outcome) {
  return outcome == Outcome::help ? kExitOk : kExitUsage;
}

int reportFailure(std::string_view command, const Error& error) {
  fmt::print(stderr, "narrows {}: {}\n", command, error.message);
  return kExitFailure;
}

}  // namespace narrows
