#include "narrows/cli/eval.h"

#include <fmt/format.h>

#include "narrows/base/thread_pool.h"
#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/cut_choice.h"
#include "narrows/cli/data_source.h"
#include "narrows/cli/engine_option.h"
#include "narrows/cli/interface_options.h"
#include "narrows/cli/model_source.h"
#include "narrows/cli/output_options.h"
#include "narrows/cli/progress.h"
#include "narrows/cli/sweep_table.h"
#include "narrows/eval/frame_meter.h"
#include "narrows/eval/sweep.h"

namespace narrows {
namespace {

Result<SweepOptions> sweepOptions(const EvalOptions& options) {
  SweepOptions sweep;
  NARROWS_TRY(quantizers, chooseQuantizers(options.interfaces));
  for (const QuantizerChoice& choice : quantizers) sweep.quantizers.push_back(choice.spec);
  NARROWS_TRY(coders, chooseCoders(options.interfaces));
  sweep.coders = std::move(coders);
  sweep.slow_coder_frames = options.slow_coder_frames;
  sweep.threads = threadCount(options.threads);
  return sweep;
}

}  // namespace

Result<EvalRun> evaluate(const EvalOptions& options) {
  NARROWS_TRY(sweep_options, sweepOptions(options));
  NARROWS_TRY(model, loadModel(options.model));
  NARROWS_TRY(description, requireDescription(model));
  std::vector<Cut> cuts;
  if (!options.uncut_only) {
    NARROWS_TRY(chosen, chooseCuts(model.graph, options.cuts, options.tensors));
    cuts = std::move(chosen);
  }
  NARROWS_TRY(data, openData(options.data, description));
  // Random weights have no accuracy; how little a cut changes their answers can still be told.
  if (options.agreement || model.untrained) data.truth = TruthKind::none;
  NARROWS_TRY(engine, makeEngine(options.engine));

  EvalRun run;
  SweepDocument& document = run.document;
  document.model = model.name;
  document.untrained = model.untrained;
  document.data = options.data.path + (data.split.empty() ? "" : " (" + data.split + ")");
  document.engine = engine->name();
  document.threads = sweep_options.threads;
  document.seed = options.model.seed;
  const Seconds start = FrameClock::now();
  const std::size_t passes = options.uncut_only ? 1 : cuts.size() + 1 + 3;
  ProgressBar bar("eval", passes * data.items.size(), "pictures");
  const auto progress = [&] { bar.advance(); };
  NARROWS_TRY(sweep,
              Sweep::create(*engine, model.graph, description, data, sweep_options, progress));
  document.baseline = sweep.baseline();
  if (!options.uncut_only) {
    NARROWS_TRY(calibration, openCalibration(options.calibration, options.data, description));
    document.calibration =
        fmt::format("{} pictures of {}", calibration.data.items.size(), calibration.origin);
    PictureSource calibration_pictures(calibration.data.items, description.preprocessing);
    for (const ImageInterface& interface :
         {ImageInterface{ImageCoding::raw, 100},
          ImageInterface{ImageCoding::jpeg, options.interfaces.jpeg_quality},
          ImageInterface{ImageCoding::original, 100}}) {
      NARROWS_TRY(image, sweep.measureImage(interface, progress));
      document.images.push_back(image);
    }
    for (const Cut& cut : cuts) {
      NARROWS_TRY(measured, sweep.measureCut(cut, calibration_pictures, progress)
                                .within("cut " + cutName(model.graph, cut)));
      document.cuts.push_back(std::move(measured));
    }
  }
  document.elapsed = FrameClock::now() - start;
  run.model = std::move(model);
  return run;
}

namespace {

Status evaluateAndPrint(const EvalOptions& options) {
  const CostOptions& cost = options.cost;
  if (cost.links.empty() && !(cost.device.empty() && cost.server.empty()))
    return makeError("--device and --server price designs over a link; give --link too");
  // A wrong profile shows before the work, not after it.
  if (!cost.links.empty()) {
    NARROWS_TRY(model, loadModel(options.model));
    NARROWS_CHECK(DesignPricer::create(cost, model.graph));
  }
  NARROWS_TRY(run, evaluate(options));
  std::optional<DesignPricer> pricer;
  if (!cost.links.empty()) {
    NARROWS_TRY(made, DesignPricer::create(cost, run.model.graph));
    pricer = std::move(made);
  }
  NARROWS_TRY(text, formatSweep(run.document, run.model.graph, options.output.format(),
                                pricer ? &*pricer : nullptr));
  fmt::print("{}", text);
  return {};
}

}  // namespace

int runEval(std::span<const std::string> arguments) {
  Arguments parser(
      "eval", "Score cuts x bits x coders on a data set, with the pieces that ship.",
      "narrows eval yolo-fastest-1.1-coco.cfg --data coco128 --bits 1-8\n"
      "  narrows eval model.onnx --description MODEL.toml --data pictures/ --cut relu_3 --bits 4 "
      "--link ble5 --device raspberry-pi4 --server gpu-server");
  EvalOptions options;
  CLI::App& app = parser.app();
  addModelOptions(app, options.model);
  addDataOptions(app, options.data, true);
  addCalibrationOptions(app, options.calibration);
  addCutOptions(app, options.cuts, options.tensors);
  addInterfaceOptions(app, options.interfaces);
  app.add_option("--slow-coder-frames", options.slow_coder_frames,
                 "Frames that lzma codes, spread over the set (0: all)")
      ->capture_default_str();
  app.add_flag("--uncut", options.uncut_only, "Score the uncut network only");
  app.add_flag("--agreement", options.agreement,
               "Score the agreement with the uncut network, also where the data has truth");
  addEngineOption(app, options.engine, "Inference engine")->capture_default_str();
  app.add_option("--threads", options.threads, "Pictures in parallel (0: one per core)")
      ->capture_default_str();
  addCostOptions(app, options.cost);
  addOutputOptions(app, options.output);
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run)
    return Arguments::exitCode(outcome);
  if (Status status = evaluateAndPrint(options); !status.ok())
    return reportFailure("eval", status.error());
  return kExitOk;
}

}  // namespace narrows
