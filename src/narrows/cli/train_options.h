#pragma once

#include <cstdint>
#include <string>

#include "narrows/cli/arguments.h"
#include "narrows/cli/data_source.h"
#include "narrows/cli/model_source.h"
#include "narrows/engine/engine.h"

namespace narrows {

/// What `train` and `tighten` share: data, batches, steps.
struct TrainingOptions {
  ModelOptions model;
  DataSourceOptions data;
  std::string validation_split;
  std::string validation_data;
  std::size_t epochs = 10;
  std::size_t batch = 16;
  double learning_rate = 1e-3;
  double final_share = 0.01;
  double warm_up = 0.05;
  std::string optimizer = "adamw";
  double weight_decay = 5e-4;
  double average_decay = 0.999;
  double smoothing = 0.1;
  bool flip = false;
  bool flip_vertical = false;
  double norm_momentum = 0.1;
  bool bf16 = false;
  std::string device = "cpu";
  double zoom = 0;
  double shift = 0;
  double color = 0;
  double mosaic = 0;
  std::string teacher;
  std::string teacher_weights;
  double teacher_weight = 1;
  /// Values of both networks.
  std::vector<std::string> teacher_features;
  double feature_weight = 1;
  double temperature = 2;
  bool no_labels = false;
  std::size_t validate_every = 1;
  std::size_t validation_limit = 0;
  std::size_t threads = 0;
  std::string engine{defaultEngineName()};
  std::string run;
  bool resume = false;
  std::string out;
  bool json = false;
};

struct TrainOptions {
  TrainingOptions training;
  std::string anchors = "keep";
  bool frozen_norm = false;
};

/// `least_epochs`: what --epochs takes at least.
void addTrainingOptions(CLI::App& app, TrainingOptions& options, int least_epochs);
/// Parses and prints as `Arguments::parse` does.
Arguments::Outcome parseTrain(std::span<const std::string> arguments, TrainOptions& options);

}  // namespace narrows
