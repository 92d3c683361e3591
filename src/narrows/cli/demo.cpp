#include "narrows/cli/demo.h"

#include <fmt/format.h>

#include <filesystem>

#include "narrows/base/file.h"
#include "narrows/cli/analyze.h"
#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/eval.h"
#include "narrows/cli/interface_options.h"
#include "narrows/cli/link_prices.h"
#include "narrows/cli/split.h"
#include "narrows/cli/two_processes.h"
#include "narrows/data/scenes.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

struct DemoOptions {
  std::string model = "zoo:mini-yolo";
  std::string description;
  std::string data;
  std::string split;
  std::string out = "narrows-demo";
  std::size_t pictures = 24;
  std::string bits = "1,2,4,8";
  std::string link = "wifi";
  double max_drop = 10;
  double node_slowdown = 10;
  std::uint64_t seed = 1;
};

constexpr std::size_t kShownCuts = 12;

void printStep(int number, std::string_view text) {
  fmt::print("\n== {}. {}\n", number, text);
}

void printCommand(std::span<const std::string> words) {
  std::string line = "$ narrows";
  for (const std::string& word : words)
    line += " " + (word.find_first_of(" ()") == std::string::npos ? word : "'" + word + "'");
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

Status runStep(int (*command)(std::span<const std::string>), std::vector<std::string> words) {
  printCommand(words);
  if (command(std::span(words).subspan(1)) != kExitOk)
    return makeError("narrows {} failed", words[0]);
  std::fflush(stdout);
  return {};
}

/// Folder of the pictures: what the user named, or scenes that are drawn.
Result<std::string> preparePictures(const DemoOptions& options) {
  if (!options.data.empty()) {
    fmt::print("Pictures: {}\n", options.data);
    return options.data;
  }
  SceneOptions scenes;
  scenes.count = options.pictures;
  scenes.seed = options.seed;
  const fs::path folder = fs::path(options.out) / "scenes";
  NARROWS_CHECK(writeScenes(folder, scenes));
  fmt::print("Drew {} scenes into {} (seed {}).\n", options.pictures, folder.string(),
             options.seed);
  return (folder / "images").string();
}

Result<EvalRun> score(const DemoOptions& options, const std::string& pictures) {
  EvalOptions eval;
  eval.model.model = options.model;
  eval.model.description = options.description;
  eval.model.seed = options.seed;
  eval.data.path = pictures;
  eval.data.split = options.split;
  eval.data.limit = options.data.empty() ? 0 : options.pictures;
  eval.calibration.pictures = 8;
  eval.interfaces.bits = options.bits;
  eval.slow_coder_frames = 4;
  std::vector<std::string> words{"eval",
                                 options.model,
                                 "--data",
                                 pictures,
                                 "--bits",
                                 options.bits,
                                 "--slow-coder-frames",
                                 "4",
                                 "--calibration-images",
                                 "8",
                                 "--seed",
                                 std::to_string(options.seed)};
  if (eval.data.limit != 0) words.insert(words.end(), {"--limit", std::to_string(eval.data.limit)});
  if (!options.split.empty()) words.insert(words.end(), {"--split", options.split});
  if (!options.description.empty())
    words.insert(words.end(), {"--description", options.description});
  printCommand(words);
  return evaluate(eval);
}

/// The whole table goes to a file; the smallest design of each cut that keeps the bound is shown.
Status printScores(const DemoOptions& options, const EvalRun& run, const std::vector<Design>& all) {
  const fs::path csv = fs::path(options.out) / "eval.csv";
  NARROWS_TRY(text, formatSweep(run.document, run.model.graph, OutputFormat::csv));
  NARROWS_CHECK(writeFileAtomically(csv, asBytes(text)));
  const SweepBaseline& baseline = run.document.baseline;
  const std::string metric = scoreName(baseline) + " %";
  Table table({{"cut", "cut"},
               {"interface", "interface"},
               {"coder", "coder"},
               {"mean_bytes", "mean B", 0},
               {"node_ms", "node ms", 2},
               {"server_ms", "server ms", 2},
               {"accuracy_percent", metric, 2},
               {"drop_points", "drop", 2}});
  std::size_t shown = 0;
  for (const CutSweep& cut : run.document.cuts) {
    const std::string name = cutName(run.model.graph, cut.cut);
    const Design* best = nullptr;
    for (const Design& design : all) {
      if (design.cut != name || baseline.uncut.primary - design.accuracy.primary > options.max_drop)
        continue;
      if (best == nullptr || design.mean_bytes < best->mean_bytes) best = &design;
    }
    if (best == nullptr || ++shown > kShownCuts) continue;
    table.add({name, toString(best->quantizer), coderName(best->coder), best->mean_bytes,
               toMilliseconds(best->node), toMilliseconds(best->server), best->accuracy.primary,
               baseline.uncut.primary - best->accuracy.primary});
  }
  fmt::print("{} designs at {} cuts in {:.1f} s. Uncut {}: {:.2f}.{}\n", all.size(),
             run.document.cuts.size(), run.document.elapsed.value(), metric, baseline.uncut.primary,
             baseline.against_truth ? ""
                                    : " The weights are random or the pictures have no truth, so "
                                      "the figure is the agreement\n"
                                      "with the uncut network's own answers, not an accuracy.");
  fmt::print(
      "The whole table is in {}. The smallest frame of each cut that loses at most {} "
      "points:\n\n{}",
      csv.string(), options.max_drop, table.terminal());
  if (shown > kShownCuts) fmt::print("... and {} more cuts\n", shown - kShownCuts);
  return {};
}

/// The cut to run: smallest mean frame within the bound.
Result<Design> chooseDesign(const DemoOptions& options, const EvalRun& run,
                            const std::vector<Design>& all) {
  const Design* best = nullptr;
  for (const Design& design : all) {
    if (!design.is_cut ||
        run.document.baseline.uncut.primary - design.accuracy.primary > options.max_drop)
      continue;
    if (best == nullptr || design.mean_bytes < best->mean_bytes) best = &design;
  }
  if (best == nullptr)
    return makeError("no cut loses {} points or less; try a larger --max-drop", options.max_drop);
  return *best;
}

Status splitAndRun(const DemoOptions& options, const Design& design, const std::string& pictures) {
  const fs::path bundle = fs::path(options.out) / "demo.narrows";
  std::vector<std::string> words{"split",
                                 options.model,
                                 "--cut",
                                 design.cut,
                                 "--bits",
                                 std::to_string(design.quantizer.bits),
                                 "--coder",
                                 coderName(design.coder),
                                 "--calibration",
                                 pictures,
                                 "--calibration-images",
                                 "8",
                                 "--seed",
                                 std::to_string(options.seed),
                                 "--out",
                                 bundle.string()};
  if (!options.description.empty())
    words.insert(words.end(), {"--description", options.description});
  printStep(4, "Write the bundle of the cut with the smallest frames");
  NARROWS_CHECK(runStep(runSplit, words));

  printStep(5, "Run it as two processes, node and server, over an emulated link");
  fmt::print(
      "$ narrows serve {0} --listen 127.0.0.1:0 &\n$ narrows node {0} --server 127.0.0.1:PORT "
      "--input PICTURES --link {1}\n",
      bundle.string(), options.link);
  std::fflush(stdout);
  NARROWS_TRY(report, runTwoProcesses(bundle, pictures, options.link, options.out));
  fmt::print(
      "{} pictures, {} answered by the server, {} detections in all; {} answers differ from the "
      "same bundle in one process.\n"
      "Mean of a picture: node {:.2f} ms, frame {:.0f} B ({:.0f} B on the wire), link {:.2f} ms "
      "(emulated {}), server {:.2f} ms, "
      "total {:.2f} ms (measured).\n",
      report.pictures, report.by_server, report.detections, report.mismatches, report.mean_node_ms,
      report.mean_frame_bytes, report.mean_wire_bytes, report.mean_link_ms, options.link,
      report.mean_server_ms, report.mean_total_ms);
  if (report.mismatches != 0)
    return makeError("{} of {} answers differ", report.mismatches, report.pictures);
  return {};
}

/// The pictures as a plain folder, which is what a node reads.
Result<std::string> pictureFolder(const DemoOptions& options, const std::string& pictures) {
  if (options.data.empty()) return pictures;
  const fs::path folder = fs::path(options.out) / "pictures";
  std::error_code code;
  fs::create_directories(folder, code);
  if (code) return makeError("{}: {}", folder.string(), code.message());
  DataOptions data;
  data.split = options.split;
  data.limit = options.pictures;
  NARROWS_TRY(set, openDataSet(pictures, data));
  for (const DataItem& item : set.items) {
    fs::create_symlink(fs::absolute(item.image), folder / item.image.filename(), code);
    if (code) return makeError("{}: {}", (folder / item.image.filename()).string(), code.message());
  }
  return folder.string();
}

/// An empty folder at `out`. One that an earlier demo made is replaced, any other is left alone.
Status makeOutput(const fs::path& out) {
  const fs::path marker = out / ".narrows-demo";
  std::error_code code;
  if (fs::exists(out) && !fs::exists(marker)) {
    return makeError("{} exists and was not made by a demo; give another --out", out.string());
  }
  fs::remove_all(out, code);
  if (code || !fs::create_directories(out, code)) {
    return makeError("cannot make {}: {}", out.string(), code.message());
  }
  return writeFileAtomically(marker, {});
}

Status demo(const DemoOptions& options) {
  NARROWS_CHECK(makeOutput(options.out));
  printStep(1, "Where can the network be cut?");
  std::vector<std::string> analyze{"analyze", options.model, "--cuts"};
  if (!options.description.empty())
    analyze.insert(analyze.end(), {"--description", options.description});
  NARROWS_CHECK(runStep(runAnalyze, analyze));
  printStep(2, "What does each cut send, and what does that cost in agreement?");
  NARROWS_TRY(pictures, preparePictures(options));
  NARROWS_TRY(run, score(options, pictures));
  const std::vector<Design> all = designs(run.document, run.model.graph);
  NARROWS_CHECK(printScores(options, run, all));
  printStep(3, "Which cut answers first over which link?");
  NARROWS_TRY(best,
              bestDesigns(all, run.document.baseline, options.max_drop, options.node_slowdown));
  fmt::print(
      "Node {}x slower than this host (option --node-slowdown); links modelled, the rest measured "
      "here, one thread.\n\n{}",
      options.node_slowdown, best.terminal());
  NARROWS_TRY(design, chooseDesign(options, run, all));
  NARROWS_TRY(folder, pictureFolder(options, pictures));
  NARROWS_CHECK(splitAndRun(options, design, folder));
  fmt::print(
      "\nNow with your own model: narrows analyze MODEL.onnx, then narrows eval, split, serve and "
      "node; see README.md.\n");
  return {};
}

}  // namespace

int runDemo(std::span<const std::string> arguments) {
  Arguments parser("demo", "Cut, score and price a network, then run one cut as two processes.",
                   "narrows demo\n  narrows demo --model yolo-fastest-1.1-coco.cfg --data coco128 "
                   "--pictures 32");
  DemoOptions options;
  CLI::App& app = parser.app();
  app.add_option("--model", options.model, "PATH.onnx, PATH.cfg or zoo:NAME")
      ->capture_default_str();
  app.add_option("--description", options.description, "MODEL.toml (default: looked for)");
  app.add_option("--data", options.data, "Data set (default: scenes that are drawn)");
  app.add_option("--split", options.split, "Split of the data set");
  app.add_option("--pictures", options.pictures, "Scenes to draw, or pictures to take")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--bits", options.bits, "Widths to try")->capture_default_str();
  app.add_option(
         "--link", options.link,
         "Emulated link of the run: ethernet, wifi, ble5, lte-cat4 or a rate such as 2Mbit/s")
      ->capture_default_str();
  app.add_option("--max-drop", options.max_drop, "Points that a design may lose")
      ->capture_default_str();
  app.add_option("--node-slowdown", options.node_slowdown,
                 "How many times slower than this host the node computes")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Of scenes and random weights")->capture_default_str();
  app.add_option("--out", options.out, "Folder for what the demo writes; it is replaced")
      ->capture_default_str();
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run)
    return Arguments::exitCode(outcome);
  if (Status status = demo(options); !status.ok()) return reportFailure("demo", status.error());
  return kExitOk;
}

}  // namespace narrows
