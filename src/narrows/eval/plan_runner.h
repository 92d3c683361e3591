#pragma once

#include <memory>
#include <span>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/engine/engine.h"
#include "narrows/plan/plan.h"

namespace narrows {

/// All pieces of a plan one after another, whatever their devices, with elements as they are on
/// their way, so that what each piece makes can be looked at.
class PlanRunner {
 public:
  /// The plan outlives the runner and passes `checkPlan`.
  static Result<PlanRunner> create(const Engine& engine, const Plan& plan,
                                   std::span<const Graph> pieces, std::size_t threads);

  /// From the model's inputs, which outlive what `made` gives.
  Status run(std::span<const TensorView> inputs);
  /// What lies at the source of a transfer after the last run.
  TensorView made(const Endpoint& source) const;

 private:
  explicit PlanRunner(const Plan& plan) : plan_(&plan) {}

  const Plan* plan_;
  std::vector<std::unique_ptr<Program>> programs_;
  std::vector<std::vector<Tensor>> ports_;                  // by piece: what is put together
  std::vector<std::vector<std::vector<std::size_t>>> fed_;  // by piece and port: transfers
  std::vector<std::vector<Tensor>> outputs_;                // by piece
  std::vector<TensorView> inputs_;
};

}  // namespace narrows
