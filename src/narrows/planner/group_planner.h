#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/cost/group_simulator.h"
#include "narrows/plan/group.h"

/// Chooses how a network is spread over a group of unlike devices.
namespace narrows {

enum class GroupObjective : std::uint8_t { latency, throughput, traffic, memory, energy };

std::string_view toString(GroupObjective objective);
std::optional<GroupObjective> parseGroupObjective(std::string_view name);
/// Unit of its value: "s", "s" (a frame's period), "B", "B", "J".
std::string_view unitOf(GroupObjective objective);

struct GroupPlannerOptions {
  GroupObjective objective = GroupObjective::latency;
  /// Bytes that every transfer carries beside its elements.
  Bytes frame_overhead;
  /// Bytes expected on the wire for each byte of elements; below 1 where regions will be coded.
  double wire_ratio = 1;
  /// Frames on their way at once when throughput counts.
  std::size_t in_flight = 4;
};

/// A plan with what the simulator makes of it.
struct PricedPlan {
  GroupDesign design;
  SplitModel split;
  std::vector<PieceCost> costs;
  Simulation simulation;
  /// Of the objective.
  double value = 0;
  /// Bytes by which the device that is shortest of memory lacks some; 0 when all hold their part.
  double memory_missing = 0;
  bool feasible() const { return memory_missing == 0; }
};

struct GroupAlternative {
  std::string name;
  double value = 0;
  bool feasible = false;
};

struct GroupPlanning {
  PricedPlan best;
  /// Of the objective: no plan over this group can be better, however it divides the network. See
  /// docs/groups.md.
  double bound = 0;
  /// Plans that were built and simulated.
  std::size_t candidates = 0;
  /// What else was there: the network undivided on each device that can hold it, and the scheme
  /// of DeeperThings over all devices.
  std::vector<GroupAlternative> alternatives;

  /// How far the best plan is from the bound at most; infinite for a bound of 0.
  double gap() const;
};

/// Builds, prices and simulates one design.
Result<PricedPlan> priceDesign(const Graph& graph, const DeviceGroup& group, GroupDesign design,
                               const GroupPlannerOptions& options);

/// The same plan with measured bytes of each of its transfers, framing included.
Status repriceTransfers(PricedPlan& plan, const DeviceGroup& group,
                        const GroupPlannerOptions& options, std::span<const double> transfer_bytes);

/// Tries paths of `StageSpace` under prices that push the objective and the limits of memory, and
/// the alternatives, and keeps the best that fits as the simulator sees it. Fails when none fits;
/// the error says how much memory lacks.
Result<GroupPlanning> planGroup(const Graph& graph, const DeviceGroup& group,
                                const GroupPlannerOptions& options);

/// The scheme of DeepThings and DeeperThings over all devices alike: the first layers in fused rows
/// x columns tiles, dealt out in turn, up to the convolution `first_sliced` (as `slicedLayers`
/// counts them), from there on weights sliced as `choices` says, merged on the source, where
/// everything between runs as well.
Result<GroupDesign> publishedScheme(const Graph& graph, const DeviceGroup& group,
                                    std::size_t first_sliced, bool fused, std::size_t rows,
                                    std::size_t columns);

}  // namespace narrows
