#include "narrows/explore/halving.h"

#include <algorithm>
#include <numeric>

namespace narrows {
namespace {

/// Time that is left, and how long an epoch takes.
class Budget {
 public:
  explicit Budget(Seconds whole) : whole_(whole.value()) {}

  /// Whether so many epochs end within this share of the budget. Nothing is known before the first.
  bool holds(std::size_t epochs, double share) const {
    return spent_ + epoch_ * static_cast<double>(epochs) <= share * whole_;
  }
  void spend(const Trial& trial) {
    spent_ += trial.time.value();
    epoch_ = std::max(epoch_, trial.time.value() / static_cast<double>(trial.epochs));
  }

 private:
  double whole_;
  double spent_ = 0;
  double epoch_ = 0;
};

}  // namespace

Result<std::vector<Trial>> halve(std::size_t candidates, const HalvingOptions& options,
                                 const CandidateTrainer& train) {
  std::vector<Trial> trials;
  std::vector<std::size_t> left(candidates);
  std::iota(left.begin(), left.end(), std::size_t{0});
  Budget budget(options.budget);
  double share = 0.5;
  for (std::size_t epochs = options.first_epochs; !left.empty(); epochs *= 2, share = 1) {
    std::vector<Trial> round;
    for (const std::size_t candidate : left) {
      if (!budget.holds(epochs, share)) break;
      NARROWS_TRY(trial, train(candidate, epochs));
      budget.spend(trial);
      trials.push_back(trial);
      round.push_back(trial);
    }
    if (left.size() == 1 || round.empty()) break;
    round.erase(std::remove_if(round.begin(), round.end(),
                               [&](const Trial& t) { return t.drop <= options.enough; }),
                round.end());
    std::stable_sort(round.begin(), round.end(),
                     [](const Trial& a, const Trial& b) { return a.drop < b.drop; });
    round.resize((round.size() + 1) / 2);
    left.clear();
    for (const Trial& trial : round) left.push_back(trial.candidate);
  }
  return trials;
}

}  // namespace narrows
