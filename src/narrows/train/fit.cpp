#include "narrows/train/fit.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "narrows/plan/json_value.h"
#include "narrows/train/checkpoint.h"

namespace narrows {
namespace {

/// What a state file says beside the tensors.
struct Position {
  std::string fingerprint;
  std::int64_t epoch = 0;
  std::int64_t log_bytes = 0;
  double best = 0;
  double best_bytes = 0;
  std::int64_t best_epoch = 0;
  /// Weight of an expected bit from here on.
  double rate = 0;
};

std::string formatPosition(const Position& position) {
  return formatJson(JsonValue::Object{{"fingerprint", position.fingerprint},
                                      {"epoch", position.epoch},
                                      {"log_bytes", position.log_bytes},
                                      {"best", position.best},
                                      {"best_bytes", position.best_bytes},
                                      {"best_epoch", position.best_epoch},
                                      {"rate", position.rate}});
}

Result<Position> parsePosition(std::string_view text) {
  NARROWS_TRY(document, parseJson(text, "position"));
  const JsonCursor root(document, "position");
  constexpr std::int64_t kMost = std::int64_t{1} << 50;
  Position position;
  NARROWS_TRY(fingerprint_at, root.at("fingerprint"));
  NARROWS_TRY(fingerprint, fingerprint_at.text(std::size_t{1} << 16));
  NARROWS_TRY(epoch_at, root.at("epoch"));
  NARROWS_TRY(epoch, epoch_at.integer(0, kMost));
  NARROWS_TRY(log_at, root.at("log_bytes"));
  NARROWS_TRY(log_bytes, log_at.integer(0, kMost));
  NARROWS_TRY(best_at, root.at("best"));
  NARROWS_TRY(best, best_at.number());
  NARROWS_TRY(bytes_at, root.at("best_bytes"));
  NARROWS_TRY(best_bytes, bytes_at.number());
  NARROWS_TRY(best_epoch_at, root.at("best_epoch"));
  NARROWS_TRY(best_epoch, best_epoch_at.integer(0, kMost));
  NARROWS_TRY(rate_at, root.at("rate"));
  NARROWS_TRY(rate, rate_at.number());
  return Position{fingerprint, epoch, log_bytes, best, best_bytes, best_epoch, rate};
}

/// The files of one run.
struct Files {
  std::filesystem::path state;
  std::filesystem::path best;
  std::filesystem::path log;
};

Files filesOf(const FitOptions& options) {
  if (options.folder.empty()) return {};
  return {options.folder / (options.name + ".state"), options.folder / (options.name + ".best"),
          options.folder / (options.name + ".jsonl")};
}

Result<Position> resumeFrom(const Files& files, const FitOptions& options, Trainer& trainer,
                            std::vector<NamedTensor>& best) {
  NARROWS_TRY(checkpoint, readCheckpoint(files.state));
  NARROWS_TRY(position, parsePosition(checkpoint.text).within(files.state.string()));
  if (position.fingerprint != options.fingerprint) {
    return makeError("{} is of another run; remove it, or repeat the options of that run",
                     files.state.string());
  }
  NARROWS_CHECK(trainer.restore(checkpoint.tensors).within(files.state.string()));
  if (position.best_epoch > 0) {
    NARROWS_TRY(kept, readCheckpoint(files.best));
    best = std::move(kept.tensors);
  }
  return position;
}

}  // namespace

Result<FitOutcome> fit(Trainer& trainer, BatchSource& batches, const FitOptions& options,
                       const FitHooks& hooks) {
  const Files files = filesOf(options);
  Position position;
  position.fingerprint = options.fingerprint;
  position.rate = options.rate;
  std::vector<NamedTensor> best;
  if (options.resume && !files.state.empty() && std::filesystem::exists(files.state)) {
    NARROWS_TRY(found, resumeFrom(files, options, trainer, best));
    position = found;
  }
  NARROWS_TRY(log, RunLog::open(files.log, static_cast<std::uint64_t>(position.log_bytes)));
  const std::size_t per_epoch = batches.batchesPerEpoch();
  const auto steps = static_cast<std::int64_t>(options.epochs * per_epoch);
  FitOutcome outcome;
  std::size_t here = 0;
  for (auto epoch = static_cast<std::size_t>(position.epoch); epoch < options.epochs; ++epoch) {
    if (options.stop_after != 0 && here++ == options.stop_after) {
      outcome.finished = false;
      break;
    }
    if (hooks.before_epoch) NARROWS_CHECK(hooks.before_epoch(trainer, epoch));
    StepLosses mean;
    const double share = 1.0 / static_cast<double>(per_epoch);
    StepFactors factors;
    for (std::size_t index = 0; index < per_epoch; ++index) {
      const auto step = static_cast<std::int64_t>(epoch * per_epoch + index);
      factors = {options.learning_rate.at(step, steps), options.clustering.at(step, steps),
                 position.rate};
      NARROWS_TRY(batch, batches.batch(epoch, index));
      NARROWS_TRY(losses, trainer.step(batch, factors));
      mean.total += losses.total * share;
      mean.task += losses.task * share;
      mean.output += losses.output * share;
      mean.feature += losses.feature * share;
      mean.clustering += losses.clustering * share;
      mean.expected_bits += losses.expected_bits * share;
      if (hooks.progress) hooks.progress(epoch, index, losses);
    }
    const bool last = epoch + 1 == options.epochs;
    constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
    Validation found{kUnknown, kUnknown};
    if (hooks.validate && (last || (epoch + 1) % options.validate_every == 0)) {
      NARROWS_TRY(value, hooks.validate(trainer));
      found = value;
      if (position.best_epoch == 0 ||
          options.rate_control.better(found.figure, found.bytes, position.best,
                                      position.best_bytes)) {
        position.best = found.figure;
        position.best_bytes = found.bytes;
        position.best_epoch = static_cast<std::int64_t>(epoch + 1);
        best = trainer.state();
        if (!files.best.empty()) {
          Checkpoint kept{"best", trainer.state()};
          NARROWS_CHECK(writeCheckpoint(kept, files.best));
        }
      }
    }
    NARROWS_CHECK(log.write({{"epoch", static_cast<std::int64_t>(epoch + 1)},
                             {"steps", static_cast<std::int64_t>((epoch + 1) * per_epoch)},
                             {"learning_rate", factors.learning_rate},
                             {"clustering_weight", factors.clustering},
                             {"loss", mean.total},
                             {"task_loss", mean.task},
                             {"output_loss", mean.output},
                             {"feature_loss", mean.feature},
                             {"clustering_loss", mean.clustering},
                             {"expected_bits", mean.expected_bits},
                             {"rate", factors.rate},
                             {"validation", found.figure},
                             {"mean_bytes", found.bytes}}));
    if (!std::isnan(found.bytes)) {
      position.rate =
          options.rate_control.next(position.rate, found.bytes, mean.total, mean.expected_bits);
    }
    position.epoch = static_cast<std::int64_t>(epoch + 1);
    position.log_bytes = static_cast<std::int64_t>(log.bytes());
    if (!files.state.empty()) {
      Checkpoint checkpoint{formatPosition(position), trainer.state()};
      NARROWS_CHECK(writeCheckpoint(checkpoint, files.state));
    }
  }
  if (outcome.finished && !best.empty()) NARROWS_CHECK(trainer.restore(best));
  outcome.best = position.best;
  outcome.best_epoch = static_cast<std::size_t>(position.best_epoch);
  outcome.epochs = static_cast<std::size_t>(position.epoch);
  return outcome;
}

}  // namespace narrows
