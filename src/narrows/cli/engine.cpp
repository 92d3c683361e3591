#include "narrows/cli/engine.h"

#include <fmt/format.h>

#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/data_source.h"
#include "narrows/cli/engine_option.h"
#include "narrows/cli/model_source.h"
#include "narrows/cli/output_options.h"
#include "narrows/cli/progress.h"
#include "narrows/eval/engine_check.h"

namespace narrows {
namespace {

constexpr double kMegabyte = 1e6;

struct EngineCommand {
  ModelOptions model;
  DataSourceOptions data;
  CalibrationOptions calibration;
  OutputOptions output;
  std::string engine{defaultEngineName()};
  std::size_t threads = 1;
  bool int8 = false;
  bool bf16 = false;
  double keep_weights = -1;
};

void addRun(Table& table, std::string_view what, const EngineRun& run) {
  const auto megabytes = [](std::size_t bytes) { return static_cast<double>(bytes) / kMegabyte; };
  table.add({std::string(what), run.accuracy.primary, run.accuracy.secondary,
             toMilliseconds(run.time), megabytes(run.memory.weights), megabytes(run.memory.arena),
             megabytes(run.memory.scratch)});
}

Status check(const EngineCommand& command) {
  if (!command.int8 && !command.bf16 && command.keep_weights < 0)
    return makeError("nothing to compare: give --int8, --bf16 or --keep-weights");
  NARROWS_TRY(model, loadModel(command.model));
  NARROWS_TRY(description, requireDescription(model));
  NARROWS_TRY(data, openData(command.data, description));
  if (model.untrained) data.truth = TruthKind::none;
  NARROWS_TRY(calibration, openCalibration(command.calibration, command.data, description));
  NARROWS_TRY(engine, makeEngine(command.engine));
  EngineCheckOptions options;
  if (command.int8) options.precision = Precision::int8;
  if (command.bf16) options.precision = Precision::bf16;
  options.threads = command.threads;
  if (command.keep_weights >= 0)
    options.kept_weights = static_cast<std::size_t>(command.keep_weights * kMegabyte);
  ProgressBar bar("engine", 2 * data.items.size(), "pictures");
  NARROWS_TRY(result, checkEngine(*engine, model.graph, description, data, calibration.data,
                                  options, [&] { bar.advance(); }));
  const std::string_view metric = toString(result.metric);
  Table table({{"run", "run"},
               {"accuracy", fmt::format("{} %", metric), 2},
               {"second", result.metric == Metric::top1 ? "top-5 %" : "mAP@0.5:0.95 %", 2},
               {"ms", "ms", 3},
               {"weights_mb", "weights MB", 2},
               {"arena_mb", "arena MB", 2},
               {"scratch_mb", "scratch MB", 2}});
  addRun(table, "plain", result.plain);
  addRun(table, options.precision == Precision::f32 ? "streamed" : toString(options.precision),
         result.changed);
  const OutputFormat format = command.output.format();
  fmt::print("{}", table.text(format));
  if (format == OutputFormat::terminal) {
    fmt::print(
        "\n{} on {} pictures of {}{}: {:+.2f} points, {:.2f} times as long (measured, {}, {} "
        "threads).\n",
        metric, result.pictures, command.data.path,
        result.against_truth ? "" : " (agreement with the plain run)",
        result.changed.accuracy.primary - result.plain.accuracy.primary,
        result.changed.time / result.plain.time, engine->name(), command.threads);
    if (command.int8)
      fmt::print("Ranges from {} pictures of {}.\n", calibration.data.items.size(),
                 calibration.origin);
  }
  return {};
}

}  // namespace

int runEngine(std::span<const std::string> arguments) {
  Arguments parser(
      "engine",
      "Run a whole network on a data set plainly and with an option of the engine, and "
      "compare accuracy, time and memory.",
      "narrows engine mobilenetv2-imagenet.onnx --data imagenet-1k-samples-256 --int8\n"
      "  narrows engine yolox_nano.onnx --data coco128 --bf16\n"
      "  narrows engine zoo:vgg16 --data pictures/ --keep-weights 40");
  EngineCommand command;
  CLI::App& app = parser.app();
  addModelOptions(app, command.model);
  addDataOptions(app, command.data, true);
  addCalibrationOptions(app, command.calibration);
  auto* int8 = app.add_flag("--int8", command.int8, "Multiply 8-bit integers");
  app.add_flag("--bf16", command.bf16, "Multiply bf16: f32 rounded to 8 significant bits")
      ->excludes(int8);
  app.add_option("--keep-weights", command.keep_weights,
                 "Most MB of packed weights to keep; the rest is packed in every run")
      ->check(CLI::NonNegativeNumber);
  addEngineOption(app, command.engine, "Inference engine")->capture_default_str();
  app.add_option("--threads", command.threads, "Threads for one picture")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  addOutputOptions(app, command.output);
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run)
    return Arguments::exitCode(outcome);
  const Status status = check(command);
  if (!status.ok()) return reportFailure("engine", status.error());
  return kExitOk;
}

}  // namespace narrows
