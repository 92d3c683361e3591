#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/planner/group_planner.h"

/// What it takes a group to go on when one of its devices is lost.
namespace narrows {

/// The loss of one device, modelled. Its share goes where `takeOver` says.
struct DeviceLoss {
  std::size_t device = 0;
  std::size_t heir = 0;
  /// Bytes of weights that the heir lacks, and how long they take from the coordinator, which is
  /// where pictures arise, over the group's links. 0 where the plan names the heir as standby.
  Bytes weights;
  Seconds sending;
  /// Of the frame that is run again without the device, and of those after it.
  Seconds latency;
  /// Bytes that the heir lacks of memory for both shares; 0 when it holds them.
  double memory_missing = 0;

  /// From the loss to the answer to the frame that was on its way; compiling is left out.
  Seconds total(Seconds noticing) const { return noticing + sending + latency; }
};

/// An entry for each device that has pieces, when there is another device.
Result<std::vector<DeviceLoss>> deviceLosses(const Graph& graph, const DeviceGroup& group,
                                             const PricedPlan& priced,
                                             const GroupPlannerOptions& options);

/// Names a standby for each device that has pieces: of the others the one that then keeps the
/// fewest bytes of weights, the device with most weights first.
void nameStandbys(PricedPlan& priced);

}  // namespace narrows
