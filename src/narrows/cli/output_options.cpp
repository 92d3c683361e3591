#include "narrows/cli/output_options.h"

namespace narrows {

void addOutputOptions(CLI::App& app, OutputOptions& options) {
  CLI::Option* json = app.add_flag("--json", options.json, "Print JSON");
  app.add_flag("--csv", options.csv, "Print CSV")->excludes(json);
}

}  // namespace narrows
