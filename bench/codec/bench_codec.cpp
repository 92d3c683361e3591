// Feature coders against each other and against general compressors, on maps cut out of the shared
// models or on maps of one's own: bytes a map, MB/s of packed data both ways.

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "bench/codec/contest.h"
#include "bench/codec/model_maps.h"
#include "bench/codec/raw_maps.h"
#include "bench/codec/report.h"

namespace narrows::bench {
namespace {

struct Options {
  std::string maps;
  std::string models;
  std::vector<std::string> data;
  std::string granularity = "both";
  std::size_t frames = 3;
  ModelMapOptions source;
  ContestOptions contest;
  bool json = false;
  bool figures = false;
};

Status chooseSource(Options& options) {
  options.source.models = options.models;
  options.source.measured_pictures = options.frames;
  options.source.granularities.clear();
  if (options.granularity != "both") {
    NARROWS_TRY(granularity, parseGranularity(options.granularity).within("--granularity"));
    options.source.granularities = {granularity};
  } else {
    options.source.granularities = {Granularity::channel, Granularity::tensor};
  }
  for (const std::string& entry : options.data) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos) return makeError("--data {}: expected NAME=FOLDER", entry);
    options.source.data[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  return {};
}

Status run(Options& options) {
  NARROWS_CHECK(chooseSource(options));
  // The table goes where it does not mix with what a machine reads.
  std::FILE* table = options.json || options.figures ? stderr : stdout;
  fmt::print(table, "{}", tableHeading());
  std::vector<CaseFigures> cases;
  const auto use = [&](const MapCase& maps) -> Status {
    NARROWS_TRY(figures, runContest(maps, options.contest)
                             .within(fmt::format("{} of {} bits", maps.name, maps.layout.bits)));
    fmt::print(table, "{}", tableRows(figures));
    std::fflush(table);
    if (options.json) fmt::print("{}", jsonRows(figures));
    cases.push_back(std::move(figures));
    return {};
  };
  NARROWS_CHECK(options.maps.empty() ? forEachModelMap(options.source, use)
                                     : forEachRawMapFile(options.maps, options.frames, use));
  fmt::print(table, "{}", summary(cases));
  if (options.figures) fmt::print("{}", figureLines(cases));
  return {};
}

int main(int count, char** values) {
  Options options;
  CLI::App app("Times and sizes of feature coders; see bench/codec.");
  auto* maps = app.add_option("--maps", options.maps,
                              "Folder of raw maps NAME_CxHxW_bB.u8, one symbol a byte; the first "
                              "half of each file calibrates, the second is measured");
  app.add_option("--models", options.models, "Folder of the shared models")->excludes(maps);
  app.add_option("--data", options.data, "NAME=FOLDER of an unpacked data set; repeat")
      ->excludes(maps);
  app.add_option("--granularity", options.granularity, "channel, tensor or both")
      ->capture_default_str();
  app.add_option("--bits", options.source.bits, "Widths")->delimiter(',')->capture_default_str();
  app.add_option("--filter", options.source.filter, "Only MODEL/CUT that holds this");
  app.add_option("--calibration", options.source.calibration_pictures, "Pictures to calibrate with")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--frames", options.frames, "Maps measured of each cut")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--rounds", options.contest.rounds, "Rounds in which coders take turns")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_flag("--only-ours", options.contest.only_ours, "Leave the general compressors out");
  app.add_flag("--json", options.json, "One JSON line for each map and coder; table to stderr");
  app.add_flag("--figures", options.figures, "The figures as JSON lines; table to stderr");
  CLI11_PARSE(app, count, values);
  if (options.maps.empty() && options.models.empty()) {
    fmt::print(stderr, "bench_codec: give --maps, or --models and --data\n");
    return 2;
  }
  const Status status = run(options);
  if (!status.ok()) {
    fmt::print(stderr, "bench_codec: {}\n", status.error().message);
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace narrows::bench

int main(int count, char** values) {
  return narrows::bench::main(count, values);
}
