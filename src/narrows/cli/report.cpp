#include "narrows/cli/report.h"

#include <fmt/format.h>

#include <filesystem>

#include "narrows/base/file.h"
#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/report/page.h"

namespace narrows {
namespace {

constexpr std::string_view kShareDirectory = NARROWS_SHARE_DIR;

struct ReportOptions {
  std::string document;
  std::string out;
  std::string libraries{std::string(kShareDirectory) + "/build/web/node_modules"};
};

Result<std::string> readLibrary(const ReportOptions& options, std::string_view name) {
  const std::filesystem::path file =
      std::filesystem::path(options.libraries) / name / "build" / fmt::format("{}.min.js", name);
  if (!std::filesystem::exists(file)) {
    return makeError("{} is not there; scripts/install-report-libraries fetches it", file.string());
  }
  return readTextFile(file);
}

Status report(const ReportOptions& options) {
  if (std::filesystem::exists(options.out)) return makeError("{} exists already", options.out);
  PageLibraries libraries;
  NARROWS_TRY(vega, readLibrary(options, "vega"));
  NARROWS_TRY(vega_lite, readLibrary(options, "vega-lite"));
  NARROWS_TRY(vega_embed, readLibrary(options, "vega-embed"));
  libraries = {std::move(vega), std::move(vega_lite), std::move(vega_embed)};
  NARROWS_TRY(shell, readTextFile(std::filesystem::path(kShareDirectory) / "web" / "report.html"));
  NARROWS_TRY(document, readTextFile(options.document));
  NARROWS_TRY(page, makePage(shell, document, libraries).within(options.document));
  NARROWS_CHECK(writeFileAtomically(options.out, asBytes(page)));
  fmt::print("wrote {} ({:.2f} MB)\n", options.out, static_cast<double>(page.size()) / 1e6);
  return {};
}

}  // namespace

int runReport(std::span<const std::string> arguments) {
  Arguments parser("report",
                   "Turn what explore --json printed into one HTML page that needs no network.",
                   "narrows explore model.onnx --data pictures/ --link wifi --json > explore.json\n"
                   "  narrows report explore.json --out explore.html");
  ReportOptions options;
  CLI::App& app = parser.app();
  app.add_option("document", options.document, "What explore --json printed")->required();
  app.add_option("--out", options.out, "Page to write")->required();
  app.add_option("--libraries", options.libraries, "Folder with vega, vega-lite and vega-embed")
      ->capture_default_str();
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run)
    return Arguments::exitCode(outcome);
  if (Status status = report(options); !status.ok()) return reportFailure("report", status.error());
  return kExitOk;
}

}  // namespace narrows
