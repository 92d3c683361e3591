#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "narrows/bundle/bundle.h"
#include "narrows/cli/automatic_cut.h"
#include "narrows/cli/command.h"
#include "narrows/cli/interface_options.h"
#include "narrows/cli/progress.h"
#include "narrows/cli/table.h"
#include "narrows/cli/train_command.h"
#include "narrows/cli/training_setup.h"
#include "narrows/cli/two_pieces.h"
#include "narrows/graph/passes.h"
#include "narrows/train/run_log.h"
#include "narrows/train/symbol_agreement.h"
#include "narrows/train/tighten.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

/// What decides the course of a run, for `--resume`.
std::string fingerprintOf(const TightenOptions& o) {
  const TrainingOptions& t = o.training;
  return fmt::format(
      "tighten {} at {} data {} {} seed {} epochs {} batch {} rate {} {} {} {} {} {} {} {} "
      "vary {} {} {} {} {} {} teacher {} {} {} {} {} labels {} quantizer {} {} {} {} {} "
      "tcl {} {} {} autoencoder {} {} {} {} {} {} prune {} {} {} {} {} {} {} {} lambda {} {} "
      "recover {} {} {} until {} norm {} on {}",
      t.model.model, o.cut, t.data.path, t.data.split, t.model.seed, t.epochs, t.batch,
      t.learning_rate, t.final_share, t.warm_up, t.optimizer, t.weight_decay, t.average_decay,
      t.smoothing, t.bf16, t.flip, t.flip_vertical, t.zoom, t.shift, t.color, t.mosaic, t.teacher,
      t.teacher_weight, fmt::join(t.teacher_features, ","), t.feature_weight, t.temperature,
      !t.no_labels, o.quantizer, o.bits, o.granularity, o.learned, o.post_training, o.clustering,
      o.clustering_growth, o.clustering_exponent, o.latent_channels, o.latent_stride,
      o.latent_layers, o.latent_start, o.latent_epochs, o.latent_rate, o.prune, o.max_drop,
      o.importance, o.prune_epochs, o.prune_trials, o.skip_step2, o.prune_bytes, o.prune_macs,
      o.lambda, o.target_bytes, o.recovery_blocks, o.recovery_channels, o.recovery_epochs,
      o.train_until, t.norm_momentum, t.device);
}

GrowthKind growthKind(const std::string& name) {
  if (name == "exponential") return GrowthKind::exponential;
  return name == "constant" ? GrowthKind::constant : GrowthKind::power;
}

Importance importanceNamed(const std::string& name) {
  if (name == "norm") return Importance::norm;
  return name == "magnitude" ? Importance::magnitude : Importance::taylor;
}

Result<TightenRequest> makeRequest(const TightenOptions& options, const TrainingSetup& setup) {
  const TrainingOptions& training = options.training;
  TightenRequest request;
  request.cut = options.cut;
  if (options.bits > 0) {
    NARROWS_TRY(specs, makeQuantizers(options.quantizer, std::to_string(options.bits),
                                      options.granularity));
    request.quantizer = specs[0];
  }
  const bool terms =
      options.clustering > 0 || options.lambda > 0 || options.target_bytes > 0 || options.learned;
  if (options.bits == 0 && terms) {
    return makeError("--tcl, --lambda, --target-bytes and --learned need a quantizer: give --bits");
  }
  request.learned = options.learned;
  request.post_training = options.post_training;
  request.clustering = {growthKind(options.clustering_growth), options.clustering,
                        options.clustering_exponent};
  request.rate = options.lambda;
  request.target_bytes = options.target_bytes;
  if (options.prune) {
    request.prune = PruneOptions{options.max_drop,     importanceNamed(options.importance),
                                 options.prune_epochs, options.prune_trials,
                                 !options.skip_step2,  PruneOptions().least,
                                 options.prune_bytes,  options.prune_macs / 100};
  }
  if (options.latent_channels > 0) {
    request.autoencoder =
        AutoencoderShape{options.latent_channels, options.latent_stride, options.latent_layers};
    request.fitted_start = options.latent_start == "fitted";
    request.autoencoder_epochs = options.latent_epochs;
    request.autoencoder_rate = options.latent_rate;
  }
  if (options.recovery_blocks > 0) {
    request.recovery = EngineShape{options.recovery_blocks, options.recovery_channels};
    request.recovery_epochs = options.recovery_epochs;
  }
  request.train_until = options.train_until;
  request.half_weights = options.half_weights;
  NARROWS_TRY(trainer, trainerOptions(setup, training));
  request.trainer = std::move(trainer);
  request.batches = batchOptions(training, setup.threads);
  request.fit.epochs = training.epochs;
  request.fit.learning_rate = learningRate(training);
  request.fit.clustering = request.clustering;
  request.fit.rate = options.lambda;
  request.fit.validate_every = training.validate_every;
  request.fit.folder = training.run;
  request.fit.resume = training.resume;
  request.fit.fingerprint = fingerprintOf(options);
  request.seed = training.model.seed;
  request.threads = setup.threads;
  return request;
}

Status logRow(RunLog& log, const TightenOptions& options, const Validator& validator,
              const TightenRow& row) {
  return log.write({{"stage", row.stage},
                    {"cut", options.cut},
                    {"metric", std::string(toString(validator.metric()))},
                    {"accuracy_percent", row.accuracy.primary},
                    {"mean_bytes", row.mean_bytes},
                    {"worst_bytes", static_cast<std::int64_t>(row.worst_bytes)},
                    {"cut_elements", row.cut_elements},
                    {"node_macs", row.node_macs},
                    {"node_parameters", row.node_parameters},
                    {"node_memory_bytes", static_cast<std::int64_t>(row.node_memory)},
                    {"server_macs", row.server_macs},
                    {"pictures", static_cast<std::int64_t>(validator.pictures())},
                    {"seed", static_cast<std::int64_t>(options.training.model.seed)},
                    {"origin", std::string("measured")}});
}

Table tableOf(const std::vector<TightenRow>& rows) {
  Table table({{"stage", "stage"},
               {"accuracy_percent", "accuracy %", 2},
               {"mean_bytes", "frame B", 1},
               {"bytes_reduction_percent", "bytes less %", 2},
               {"cut_elements", "elements"},
               {"node_macs", "node MACs"},
               {"macs_reduction_percent", "MACs less %", 1},
               {"node_parameters", "node params"},
               {"server_macs", "server MACs"}});
  for (const TightenRow& row : rows) {
    const auto less = [](double now, double before) { return 100 * (1 - now / before); };
    table.add({row.stage, row.accuracy.primary, row.mean_bytes,
               less(row.mean_bytes, rows[0].mean_bytes), row.cut_elements, row.node_macs,
               less(static_cast<double>(row.node_macs), static_cast<double>(rows[0].node_macs)),
               row.node_parameters, row.server_macs});
  }
  return table;
}

/// The bundle as it lies on disk, on the inference engine; and how its node piece's symbols differ
/// from those of training's arithmetic.
Status checkBundle(const TightenOptions& options, const TrainingSetup& setup, Validator& validator,
                   const TightenRow& last, RunLog& log) {
  NARROWS_TRY(bundle, readBundle(options.training.out));
  NARROWS_TRY(two, twoPieces(std::move(bundle)));
  NARROWS_TRY(figures, validator.score(two.pieces, two.interfaces));
  constexpr std::size_t kPictures = 32;
  NARROWS_TRY(symbols, compareSymbols(two.pieces.node, two.interfaces, setup.validation,
                                      setup.description, validator.engine(), kPictures));
  NARROWS_CHECK(log.write({{"stage", std::string("bundle")},
                           {"bundle", options.training.out},
                           {"accuracy_percent", figures.accuracy.primary},
                           {"mean_bytes", figures.mean_bytes},
                           {"symbols", static_cast<std::int64_t>(symbols.symbols)},
                           {"different_symbols", static_cast<std::int64_t>(symbols.different)}}));
  if (options.training.json) return {};
  fmt::print(
      "bundle re-measured on {}: {:.2f} % (trained: {:.2f} %), {:.1f} B a frame; {} of {} symbols "
      "differ from training's\n",
      options.training.engine, figures.accuracy.primary, last.accuracy.primary, figures.mean_bytes,
      symbols.different, withSeparators(static_cast<std::int64_t>(symbols.symbols)));
  return {};
}

/// Puts a tensor in the place of "auto".
Status settleCut(TightenOptions& options, const Graph& graph) {
  if (options.cut != "auto") return {};
  NARROWS_TRY(simple, simplify(graph));
  NARROWS_TRY(found,
              chooseAutomaticCut(simple, options.cost,
                                 {options.bits, options.latent_channels, options.latent_stride}));
  options.cut = found.name;
  fmt::print(stderr, "cut: {}, {:.2f} mJ of the node a picture with {:.0f} B packed (modelled)\n",
             found.name, found.node_energy.value() * 1e3, found.packed.value());
  return {};
}

Status tightenModel(TightenOptions options) {
  const TrainingOptions& training = options.training;
  if (fs::exists(training.out)) return makeError("{} exists already", training.out);
  NARROWS_TRY(setup, openTraining(training));
  NARROWS_CHECK(settleCut(options, setup->model.graph));
  NARROWS_TRY(request, makeRequest(options, *setup));
  NARROWS_TRY(validator, Validator::create(training.engine, setup->validation, setup->description,
                                           setup->model.graph, setup->threads));
  if (!training.run.empty()) fs::create_directories(training.run);
  NARROWS_TRY(log, RunLog::open(training.run.empty() ? fs::path()
                                                     : fs::path(training.run) / "stages.jsonl"));
  const auto told = [&](const TightenRow& row) -> Status {
    if (!training.json) {
      fmt::print(stderr, "{}: {} {:.2f} %, {:.1f} B a frame, {} node MACs\n", row.stage,
                 toString(validator.metric()), row.accuracy.primary, row.mean_bytes,
                 withSeparators(row.node_macs));
    }
    return logRow(log, options, validator, row);
  };
  NARROWS_TRY(result, tighten(setup->model.graph, setup->description, setup->training, validator,
                              request, told));
  Bundle bundle;
  bundle.name = setup->model.name;
  bundle.plan = std::move(result.split.plan);
  bundle.pieces = std::move(result.split.pieces);
  bundle.description = setup->description;
  NARROWS_CHECK(writeBundle(bundle, training.out));
  const Table table = tableOf(result.rows);
  fmt::print("{}", training.json ? table.json() + "\n" : table.terminal());
  NARROWS_CHECK(checkBundle(options, *setup, validator, result.rows.back(), log));
  if (!training.json) fmt::print("wrote {}\n", training.out);
  return {};
}

}  // namespace

int tightenCommand(const TightenOptions& options) {
  if (Status status = tightenModel(options); !status.ok()) {
    return reportFailure("tighten", status.error());
  }
  return kExitOk;
}

}  // namespace narrows
