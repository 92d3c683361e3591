#include "narrows/cli/training_setup.h"

#include "narrows/base/thread_pool.h"
#include "narrows/cli/label_loss.h"
#include "narrows/torch/network.h"

namespace narrows {
namespace {

/// A model as it is trained: clean, its normalisations in place.
Result<LoadedModel> loadForTraining(ModelOptions options) {
  options.without_passes.emplace_back("fold-affine");
  return loadModel(options);
}

/// The train split where none is named and the set has one.
Result<DataSet> openTrainingData(const DataSourceOptions& options,
                                 const ModelDescription& description) {
  if (!options.split.empty()) return openData(options, description);
  for (const char* split : {"train", "train2017"}) {
    DataSourceOptions named = options;
    named.split = split;
    auto data = openData(named, description);
    if (data.ok()) return data;
  }
  return openData(options, description);
}

template <typename BoxTask>
BoxTask ofBoxes(const ModelDescription& description) {
  BoxTask task;
  task.head = description.head;
  task.width = description.preprocessing.width;
  task.height = description.preprocessing.height;
  return task;
}

}  // namespace

Result<std::unique_ptr<TrainingSetup>> openTraining(const TrainingOptions& options) {
  auto setup = std::make_unique<TrainingSetup>();
  setup->threads = threadCount(options.threads);
  setTorchThreads(setup->threads);
  NARROWS_CHECK(checkTorchDevice(options.device).within("--train-device"));
  NARROWS_TRY(model, loadForTraining(options.model));
  setup->model = std::move(model);
  NARROWS_TRY(description, requireDescription(setup->model));
  setup->description = std::move(description);
  NARROWS_TRY(training, openTrainingData(options.data, setup->description));
  setup->training = std::move(training);
  DataSourceOptions source = options.data;
  if (!options.validation_data.empty()) source.path = options.validation_data;
  source.split = options.validation_split;
  source.limit = options.validation_limit;
  NARROWS_TRY(validation, openData(source, setup->description));
  setup->validation = std::move(validation);
  if (setup->description.labels.empty()) setup->description.labels = setup->training.labels;
  if (!options.teacher.empty()) {
    ModelOptions named;
    named.model = options.teacher;
    named.weights = options.teacher_weights;
    NARROWS_TRY(teacher, loadModel(named).within("--teacher"));
    setup->teacher = std::move(teacher.graph);
  }
  return setup;
}

BatchOptions batchOptions(const TrainingOptions& options, std::size_t threads) {
  BatchOptions batches;
  batches.batch = options.batch;
  batches.augmentation = {options.flip,  options.flip_vertical, options.zoom, options.shift,
                          options.color, options.mosaic,        114};
  batches.seed = options.model.seed;
  batches.threads = threads;
  return batches;
}

OptimizerOptions optimizerOptions(const TrainingOptions& options) {
  OptimizerOptions optimizer;
  optimizer.kind = options.optimizer == "sgd" ? OptimizerKind::sgd : OptimizerKind::adamw;
  optimizer.weight_decay = options.weight_decay;
  return optimizer;
}

LearningRate learningRate(const TrainingOptions& options) {
  return {options.learning_rate, options.final_share, options.warm_up};
}

Result<Task> makeTask(const ModelDescription& description, const TrainingOptions& options) {
  const Head& head = description.head;
  if (!hasLabelLoss(head.kind)) {
    // Any network can imitate a teacher.
    if (options.no_labels && !options.teacher.empty()) return Task();
    return makeError(
        "a head of kind {} is trained without labels only: give --teacher and --no-labels",
        toString(head.kind));
  }
  if (head.kind == HeadKind::classification)
    return Task(ClassificationTask{options.smoothing, head.class_offset, head.softmax});
  if (head.kind == HeadKind::yolov10) return Task(ofBoxes<DualTask>(description));
  return Task(ofBoxes<DetectionTask>(description));
}

Result<TrainerOptions> trainerOptions(const TrainingSetup& setup, const TrainingOptions& options) {
  TrainerOptions trainer;
  NARROWS_TRY(task, makeTask(setup.description, options));
  trainer.task = std::move(task);
  if (options.no_labels && !setup.teacher) return makeError("--no-labels needs a --teacher");
  trainer.task_weight = options.no_labels ? 0 : 1;
  const bool boxes = std::holds_alternative<DetectionTask>(trainer.task) ||
                     std::holds_alternative<DualTask>(trainer.task);
  const TruthKind wanted = boxes ? TruthKind::boxes : TruthKind::classes;
  if (!options.no_labels && setup.training.truth != wanted) {
    return makeError("{} has no {}; give --teacher and --no-labels to train without them",
                     options.data.path, wanted == TruthKind::boxes ? "boxes" : "classes");
  }
  if (setup.teacher) {
    Teacher teacher{*setup.teacher, options.teacher_weight, options.temperature, {}, 0};
    for (const std::string& name : options.teacher_features) {
      teacher.features.emplace_back(name, name);
    }
    teacher.feature_weight = options.teacher_features.empty() ? 0 : options.feature_weight;
    trainer.teacher = std::move(teacher);
  } else if (!options.teacher_features.empty()) {
    return makeError("--teacher-feature needs a --teacher");
  }
  trainer.optimizer = optimizerOptions(options);
  trainer.average_decay = options.average_decay;
  trainer.batch_norm_momentum = options.norm_momentum;
  trainer.bf16 = options.bf16;
  trainer.device = options.device;
  return trainer;
}

}  // namespace narrows
