#pragma once

#include <vector>

#include "narrows/torch/operators.h"
#include "narrows/torch/trainer.h"

namespace narrows::torched {

/// SGD and AdamW on leaves of the gradient.
class Optimizer {
 public:
  /// `decayed` says for each leaf whether weight decay applies.
  Optimizer(const OptimizerOptions& options, Tensors leaves, std::vector<bool> decayed);

  const Tensors& leaves() const { return leaves_; }
  /// One step along `gradients`; undefined ones count as zero.
  void step(const Tensors& gradients, double learning_rate);

  std::int64_t steps() const { return steps_; }
  void setSteps(std::int64_t steps) { steps_ = steps; }
  /// Moments, one of each for each leaf; to be copied from and to.
  Tensors& first() { return first_; }
  Tensors& second() { return second_; }

 private:
  OptimizerOptions options_;
  Tensors leaves_;
  std::vector<bool> decayed_;
  Tensors first_;
  Tensors second_;
  std::int64_t steps_ = 0;
};

}  // namespace narrows::torched
