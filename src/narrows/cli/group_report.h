#pragma once

#include <span>
#include <string>

#include "narrows/cli/table.h"
#include "narrows/planner/group_planner.h"
#include "narrows/planner/recovery.h"

/// What `narrows plan` says about a plan.
namespace narrows {

/// A row for each stage: which layers, how divided, on what.
Table stageTable(const Graph& graph, const DeviceGroup& group, const GroupDesign& design);
/// A row for each device: work, traffic, memory, energy of a frame.
Table deviceTable(const DeviceGroup& group, const Simulation& simulation);
/// Bytes from each device (rows) to each (columns) for a frame.
Table trafficTable(const DeviceGroup& group, const Simulation& simulation);
/// Every piece that ran and every message that moved, by their begin.
Table timelineTable(const DeviceGroup& group, const Plan& plan, const Simulation& simulation);
/// What else could be done, and how much worse it is.
Table alternativeTable(const GroupPlanning& planning, GroupObjective objective);

/// The plan's recovery budget: what follows when each device is lost, which is noticed after
/// `noticing`.
Table lossTable(const DeviceGroup& group, std::span<const DeviceLoss> losses, Seconds noticing);

/// "674 ms", "4.76 MB", "5.28 J".
std::string valueText(double value, GroupObjective objective);

}  // namespace narrows
