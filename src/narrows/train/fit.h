#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "narrows/eval/accuracy.h"
#include "narrows/torch/trainer.h"
#include "narrows/train/batch_source.h"
#include "narrows/train/rate_control.h"
#include "narrows/train/run_log.h"
#include "narrows/train/schedule.h"

namespace narrows {

struct FitOptions {
  std::size_t epochs = 10;
  LearningRate learning_rate;
  Growth clustering;
  /// Weight of an expected bit: constant over time, or where `rate_control` begins.
  double rate = 0;
  RateControl rate_control;
  /// Epochs from one validation to the next; the last one is validated always.
  std::size_t validate_every = 1;
  /// Where NAME.state (all that a later run needs), NAME.best and NAME.jsonl go; empty: nowhere.
  std::filesystem::path folder;
  std::string name = "train";
  /// Goes on from NAME.state where there is one.
  bool resume = false;
  /// What makes this run another one than that of a state: compared on resuming.
  std::string fingerprint;
  /// Ends after so many epochs of this call, as if killed; 0: never.
  std::size_t stop_after = 0;
};

/// A trainer's state, measured.
struct Validation {
  /// Of merit, higher is better.
  double figure = 0;
  /// Mean length of a frame; 0 where nothing is sent.
  double bytes = 0;
};

struct FitHooks {
  std::function<Result<Validation>(const Trainer&)> validate;
  /// Before each epoch: refits tables, for instance.
  std::function<Status(Trainer&, std::size_t epoch)> before_epoch;
  std::function<void(std::size_t epoch, std::size_t step, const StepLosses&)> progress;
};

struct FitOutcome {
  /// Best figure of `validate` and the epoch (from 1) that reached it.
  double best = 0;
  std::size_t best_epoch = 0;
  std::size_t epochs = 0;
  bool finished = true;
};

/// Trains, keeps the best state by `validate` (the last one without it) and leaves the trainer in
/// it. A run that is killed and resumed ends in the same bits as an unbroken one.
Result<FitOutcome> fit(Trainer& trainer, BatchSource& batches, const FitOptions& options,
                       const FitHooks& hooks);

}  // namespace narrows
