#include "narrows/cli/train_command.h"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "narrows/base/file.h"
#include "narrows/cli/command.h"
#include "narrows/cli/progress.h"
#include "narrows/cli/training_setup.h"
#include "narrows/formats/onnx_writer.h"
#include "narrows/train/anchors.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

/// What decides the course of a run, for `--resume`.
std::string fingerprintOf(const TrainOptions& options) {
  const TrainingOptions& t = options.training;
  return fmt::format(
      "train {} {} {} seed {} epochs {} batch {} rate {} {} {} {} {} {} {} bf16 {} "
      "flip {} {} {} {} {} {} teacher {} {} {} {} {} labels {} anchors {} norm {} {} on {}",
      t.model.model, t.data.path, t.data.split, t.model.seed, t.epochs, t.batch, t.learning_rate,
      t.final_share, t.warm_up, t.optimizer, t.weight_decay, t.average_decay, t.smoothing, t.bf16,
      t.flip, t.flip_vertical, t.zoom, t.shift, t.color, t.mosaic, t.teacher, t.teacher_weight,
      fmt::join(t.teacher_features, ","), t.feature_weight, t.temperature, !t.no_labels,
      options.anchors, !options.frozen_norm, t.norm_momentum, t.device);
}

Status fitAnchors(const TrainOptions& options, TrainingSetup& setup) {
  if (options.anchors != "data") return {};
  const Graph& graph = setup.model.graph;
  const Shape& grid = graph.shape(graph.outputs()[0]);
  if (grid.rank() != 4) return makeError("--anchors data: the output is no map");
  NARROWS_TRY(head,
              withAnchors(setup.description.head, setup.training, setup.description.preprocessing,
                          grid[3], grid[2], options.training.model.seed));
  setup.description.head = std::move(head);
  return {};
}

Status writeModel(const Graph& graph, const ModelDescription& description, const fs::path& out) {
  const std::string text = formatDescription(description);
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  NARROWS_CHECK(
      writeFileAtomically(fs::path(out).replace_extension(".toml"), {bytes, text.size()}));
  return writeOnnx(graph, out);
}

void report(const TrainOptions& options, const Validator& validator, const FitOutcome& outcome,
            const Accuracy& before) {
  if (options.training.json) {
    nlohmann::ordered_json document;
    document["model"] = options.training.out;
    document["metric"] = toString(validator.metric());
    document["against_truth"] = validator.againstTruth();
    document["pictures"] = validator.pictures();
    document["before_percent"] = before.primary;
    document["best_percent"] = outcome.best;
    document["best_epoch"] = outcome.best_epoch;
    document["epochs"] = outcome.epochs;
    document["seed"] = options.training.model.seed;
    fmt::print("{}\n", document.dump(1));
    return;
  }
  fmt::print(
      "{} on {} validation pictures: {:.2f} % before, {:.2f} % after epoch {} (best of {})\n",
      toString(validator.metric()), validator.pictures(), before.primary, outcome.best,
      outcome.best_epoch, outcome.epochs);
  fmt::print("wrote {}\n", options.training.out);
}

Status train(const TrainOptions& options) {
  const TrainingOptions& training = options.training;
  if (fs::path(training.out).extension() != ".onnx") {
    return makeError("--out: expected a name that ends in .onnx, not {}", training.out);
  }
  NARROWS_TRY(setup, openTraining(training));
  NARROWS_CHECK(fitAnchors(options, *setup));
  NARROWS_TRY(trainer_options, trainerOptions(*setup, training));
  trainer_options.batch_norm_training = !options.frozen_norm;
  NARROWS_TRY(trainer, Trainer::create(setup->model.graph, trainer_options));
  NARROWS_TRY(batches, BatchSource::create(setup->training, setup->description,
                                           batchOptions(training, setup->threads)));
  NARROWS_TRY(validator, Validator::create(training.engine, setup->validation, setup->description,
                                           setup->teacher ? *setup->teacher : setup->model.graph,
                                           setup->threads));
  NARROWS_TRY(before, validator.score(setup->model.graph));

  FitOptions fit_options;
  fit_options.epochs = training.epochs;
  fit_options.learning_rate = learningRate(training);
  fit_options.validate_every = training.validate_every;
  fit_options.folder = training.run;
  fit_options.resume = training.resume;
  fit_options.fingerprint = fingerprintOf(options);
  if (!training.run.empty()) fs::create_directories(training.run);
  ProgressBar bar("train", training.epochs * batches.batchesPerEpoch(), "steps");
  FitHooks hooks;
  hooks.progress = [&](std::size_t, std::size_t, const StepLosses&) { bar.advance(); };
  hooks.validate = [&](const Trainer& now) -> Result<Validation> {
    NARROWS_TRY(graph, now.graph(true));
    NARROWS_TRY(accuracy, validator.score(graph));
    return Validation{accuracy.primary, 0};
  };
  NARROWS_TRY(outcome, fit(trainer, batches, fit_options, hooks));
  NARROWS_TRY(graph, trainer.graph(true));
  NARROWS_CHECK(writeModel(graph, setup->description, training.out));
  report(options, validator, outcome, before);
  return {};
}

}  // namespace

int trainCommand(const TrainOptions& options) {
  if (Status status = train(options); !status.ok()) return reportFailure("train", status.error());
  return kExitOk;
}

}  // namespace narrows
