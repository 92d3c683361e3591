#pragma once

#include <optional>
#include <vector>

#include "narrows/planner/group_planner.h"
#include "narrows/planner/stage_space.h"

namespace narrows {

/// The best pipeline of whole layers: consecutive layers on one device, each device once, within
/// every device's memory. Exact for a chain of layers in the model of `StageSpace`, by a dynamic
/// programme over boundaries, sets of devices and the last one; a group of more than eight devices
/// takes part with its source, its sink and the fastest others. Latency, traffic and energy add up;
/// throughput and memory are those of the worst device or link. Nothing when none fits.
std::optional<std::vector<GroupStage>> bestPipeline(const StageSpace& space,
                                                    const DeviceGroup& group, const Graph& graph,
                                                    GroupObjective objective);

}  // namespace narrows
