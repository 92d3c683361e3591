#include "narrows/torch/optimizer.h"

#include <cmath>

namespace narrows::torched {
namespace {

/// The gradients, shortened together to the limit.
Tensors limited(const Tensors& gradients, double limit) {
  if (limit <= 0) return gradients;
  double squares = 0;
  for (const at::Tensor& gradient : gradients) {
    if (gradient.defined()) squares += (gradient * gradient).sum().item<double>();
  }
  const double length = std::sqrt(squares);
  if (length <= limit) return gradients;
  Tensors shorter = gradients;
  for (at::Tensor& gradient : shorter) {
    if (gradient.defined()) gradient = gradient * (limit / length);
  }
  return shorter;
}

}  // namespace

Optimizer::Optimizer(const OptimizerOptions& options, Tensors leaves, std::vector<bool> decayed)
    : options_(options), leaves_(std::move(leaves)), decayed_(std::move(decayed)) {
  for (const at::Tensor& leaf : leaves_) {
    first_.push_back(at::zeros_like(leaf).detach());
    if (options_.kind == OptimizerKind::adamw) {
      second_.push_back(at::zeros_like(leaf).detach());
    }
  }
}

void Optimizer::step(const Tensors& all_gradients, double learning_rate) {
  const at::NoGradGuard no_gradients;
  const Tensors gradients = limited(all_gradients, options_.gradient_limit);
  ++steps_;
  const auto count = static_cast<double>(steps_);
  for (std::size_t i = 0; i < leaves_.size(); ++i) {
    if (!gradients[i].defined()) continue;
    at::Tensor leaf = leaves_[i].detach();
    at::Tensor gradient = gradients[i];
    if (options_.kind == OptimizerKind::sgd) {
      if (decayed_[i]) gradient = gradient + leaf * options_.weight_decay;
      first_[i].mul_(options_.momentum).add_(gradient);
      leaf.sub_((gradient + first_[i] * options_.momentum) * learning_rate);
      continue;
    }
    if (decayed_[i]) leaf.mul_(1 - learning_rate * options_.weight_decay);
    first_[i].mul_(options_.momentum).add_(gradient, 1 - options_.momentum);
    second_[i].mul_(options_.second_decay).add_(gradient * gradient, 1 - options_.second_decay);
    const at::Tensor mean = first_[i] / (1 - std::pow(options_.momentum, count));
    const at::Tensor square = second_[i] / (1 - std::pow(options_.second_decay, count));
    leaf.sub_(mean / (square.sqrt() + 1e-8) * learning_rate);
  }
}

}  // namespace narrows::torched
