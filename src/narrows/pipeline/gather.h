#pragma once

#include <cstddef>
#include <vector>

#include "narrows/plan/plan.h"
#include "narrows/tensor/region.h"

namespace narrows {

/// Adds box `from` of `source` to box `to` of `target`, elementwise, for every dtype but booleans
/// and f16. The requirements are those of `copyRegion`.
Status addRegion(TensorView source, const Region& from, MutableTensorView target, const Region& to);

/// One piece of what a port is put together from.
struct Contribution {
  TensorView source;
  Region from;
  Region to;
  TransferMode mode = TransferMode::copy;
};

/// Fills `target` from all contributions, in their order, so that sums round alike wherever the
/// parts came from and whenever they arrived. Ports of sums start at zero.
Status gather(std::span<const Contribution> contributions, MutableTensorView target);

}  // namespace narrows
