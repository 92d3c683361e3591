#pragma once

#include <filesystem>
#include <memory>

#include "narrows/cli/train_options.h"
#include "narrows/eval/validator.h"
#include "narrows/train/batch_source.h"
#include "narrows/train/fit.h"

namespace narrows {

/// What the options of a training command name, opened. Stays where it is: parts point at others.
struct TrainingSetup {
  LoadedModel model;  // normalisations not folded
  ModelDescription description;
  DataSet training;
  DataSet validation;
  std::optional<Graph> teacher;
  std::size_t threads = 1;
};

/// Opens model, data and teacher. Sets libtorch's threads.
Result<std::unique_ptr<TrainingSetup>> openTraining(const TrainingOptions& options);

/// The parts of the loop that the options decide.
BatchOptions batchOptions(const TrainingOptions& options, std::size_t threads);
OptimizerOptions optimizerOptions(const TrainingOptions& options);
LearningRate learningRate(const TrainingOptions& options);
/// The task of the description's head; an error for heads that cannot be trained.
Result<Task> makeTask(const ModelDescription& description, const TrainingOptions& options);
/// Task, teacher and optimizer.
Result<TrainerOptions> trainerOptions(const TrainingSetup& setup, const TrainingOptions& options);

}  // namespace narrows
