#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"

namespace narrows {

/// What training a candidate gave.
struct Trial {
  std::size_t candidate = 0;
  std::size_t epochs = 0;
  /// Points lost.
  double drop = 0;
  Seconds time;
};

struct HalvingOptions {
  std::size_t first_epochs = 2;
  /// Of all trials together. A trial begins only when the slowest epoch so far says that it will
  /// end within it; of the first round, only within half of it.
  Seconds budget;
  /// A candidate that loses no more has arrived and is trained no longer.
  double enough = 0;
};

/// Trains a candidate anew for so many epochs.
using CandidateTrainer = std::function<Result<Trial>(std::size_t candidate, std::size_t epochs)>;

/// Successive halving (Jamieson and Talwalkar 2016, figure 1, with a factor of 2): all candidates,
/// in their order, are trained for a few epochs; the better half of those that have not arrived is
/// trained for twice as many, until one round has had a single candidate or the budget ends.
/// Returns all trials in the order in which they ran.
Result<std::vector<Trial>> halve(std::size_t candidates, const HalvingOptions& options,
                                 const CandidateTrainer& train);

}  // namespace narrows
