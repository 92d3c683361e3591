#include "narrows/cli/report.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "narrows/base/file.h"
#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/table.h"
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

Cell cellOf(const nlohmann::ordered_json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number()) return value.get<double>();
  return std::monostate();
}

/// Every design of the document, whether it is on the Pareto set or not.
Result<std::string> designsCsv(const std::string& document) {
  const auto json = nlohmann::ordered_json::parse(document, nullptr, false);
  const auto designs = json.is_object() ? json.value("designs", nlohmann::ordered_json()) : json;
  const auto part = [&](const char* name) {
    return designs.is_object() ? designs.value(name, nlohmann::ordered_json())
                               : nlohmann::ordered_json();
  };
  const auto columns = part("columns");
  const auto rows = part("rows");
  if (!columns.is_array() || !rows.is_array())
    return makeError("expected designs with columns and rows, as explore --json prints them");
  std::vector<Column> names;
  for (const auto& column : columns) {
    if (!column.is_string()) return makeError("designs.columns: expected names");
    names.push_back({column.get<std::string>(), column.get<std::string>()});
  }
  Table table(std::move(names));
  for (const auto& row : rows) {
    if (!row.is_array() || row.size() != columns.size())
      return makeError("designs.rows: expected {} values in each", columns.size());
    std::vector<Cell> cells;
    for (const auto& value : row) cells.push_back(cellOf(value));
    table.add(std::move(cells));
  }
  return table.csv();
}

Result<std::string> reportPage(const ReportOptions& options, const std::string& document) {
  PageLibraries libraries;
  NARROWS_TRY(vega, readLibrary(options, "vega"));
  NARROWS_TRY(vega_lite, readLibrary(options, "vega-lite"));
  NARROWS_TRY(vega_embed, readLibrary(options, "vega-embed"));
  libraries = {std::move(vega), std::move(vega_lite), std::move(vega_embed)};
  NARROWS_TRY(shell, readTextFile(std::filesystem::path(kShareDirectory) / "web" / "report.html"));
  return makePage(shell, document, libraries).within(options.document);
}

Status report(const ReportOptions& options) {
  if (std::filesystem::exists(options.out)) return makeError("{} exists already", options.out);
  NARROWS_TRY(document, readTextFile(options.document));
  const bool csv = std::filesystem::path(options.out).extension() == ".csv";
  NARROWS_TRY(text,
              csv ? designsCsv(document).within(options.document) : reportPage(options, document));
  NARROWS_CHECK(writeFileAtomically(options.out, asBytes(text)));
  fmt::print("wrote {} ({:.2f} MB)\n", options.out, static_cast<double>(text.size()) / 1e6);
  return {};
}

}  // namespace

int runReport(std::span<const std::string> arguments) {
  Arguments parser(
      "report",
      "Turn what explore --json printed into one HTML page that needs no network, or into a "
      "table of all designs.",
      "narrows explore model.onnx --data pictures/ --link wifi --json > explore.json\n"
      "  narrows report explore.json --out explore.html\n"
      "  narrows report explore.json --out designs.csv");
  ReportOptions options;
  CLI::App& app = parser.app();
  app.add_option("document", options.document, "What explore --json printed")->required();
  app.add_option("--out", options.out, "Page to write; NAME.csv: the table")->required();
  app.add_option("--libraries", options.libraries, "Folder with vega, vega-lite and vega-embed")
      ->capture_default_str();
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run)
    return Arguments::exitCode(outcome);
  if (Status status = report(options); !status.ok()) return reportFailure("report", status.error());
  return kExitOk;
}

}  // namespace narrows
