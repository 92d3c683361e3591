#pragma once

#include <cstdint>
#include <string>

#include "narrows/cli/design_pricer.h"
#include "narrows/cli/train_options.h"

namespace narrows {

struct TightenOptions {
  TrainingOptions training;
  /// A tensor, or "auto".
  std::string cut;
  /// What an automatic cut is chosen by.
  CostOptions cost;
  int bits = 0;
  std::string quantizer = "uniform";
  std::string granularity = "channel";
  bool learned = false;
  double clustering = 0;
  std::string clustering_growth = "power";
  double clustering_exponent = 2;
  bool post_training = false;
  std::int64_t latent_channels = 0;
  std::int64_t latent_stride = 1;
  std::int64_t latent_layers = 1;
  std::string latent_start = "random";
  std::size_t latent_epochs = 5;
  double latent_rate = 0;
  bool prune = false;
  double max_drop = 3;
  std::string importance = "taylor";
  std::size_t prune_epochs = 2;
  std::size_t prune_trials = 4;
  bool skip_step2 = false;
  double lambda = 0;
  double target_bytes = 0;
  double prune_bytes = 0;
  double prune_macs = 0;
  std::string train_until;
  bool half_weights = false;
  std::int64_t recovery_blocks = 0;
  std::int64_t recovery_channels = 0;
  std::size_t recovery_epochs = 5;
};

Arguments::Outcome parseTighten(std::span<const std::string> arguments, TightenOptions& options);

}  // namespace narrows
