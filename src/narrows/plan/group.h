#pragma once

#include <cstddef>
#include <span>
#include <variant>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/graph/graph.h"
#include "narrows/plan/plan.h"
#include "narrows/plan/split.h"

/// Builders of plans that spread one network over a group of devices.
namespace narrows {

/// All of the stage on one device.
struct WholeStage {
  DeviceId device;
};

/// Every map that leaves the stage in rows x columns tiles, each computed from the region of the
/// stage's inputs that it depends on; layers between are computed twice where tiles overlap (fused
/// tile partitioning, Zhao et al. 2018). A stage of one layer exchanges its halos instead. What is
/// no map is computed with the first tile.
struct GridStage {
  /// Heights and widths of the tiles in proportion.
  std::vector<double> rows;
  std::vector<double> columns;
  /// One for each tile, row by row; a device may have several.
  std::vector<DeviceId> devices;
};

/// Channels (features of vectors) of what leaves the stage in slices: each device holds the filters
/// of its own and needs all that those read (layer output partitioning, Stahl et al. 2019).
struct FilterStage {
  std::vector<double> shares;
  std::vector<DeviceId> devices;
};

/// The stage's last node is a convolution of one group or a matrix product (`summedLayer`). Each
/// device computes a slice of its input, over the nodes before it in the stage, and from that a
/// partial sum of all its outputs; the next stage adds those up, with the bias, wherever it needs
/// them (layer input partitioning; with the layer before in the stage: a fused pair).
struct SumStage {
  std::vector<double> shares;
  std::vector<DeviceId> devices;
};

using StageDivision = std::variant<WholeStage, GridStage, FilterStage, SumStage>;

/// Nodes from the end of the stage before up to node number `end`.
struct GroupStage {
  std::size_t end = 0;
  StageDivision division;
};

struct GroupDesign {
  std::vector<Device> devices;
  DeviceId source;
  DeviceId sink;
  /// In order; the last one ends at the last node and leaves no partial sums.
  std::vector<GroupStage> stages;
};

/// Cuts [0, extent) in proportion to the weights, without gap; an interval may be empty. Weights
/// are at least 0 and not all 0.
std::vector<Region::Interval> intervalsOf(std::int64_t extent, std::span<const double> weights);

/// The plan and its pieces. A piece holds only the elements of weights that it reads. What a piece
/// reads moves directly from where it was made, region by region; a device that made it itself
/// reads its own. Tiles and slices that are empty have no piece. Values that cross a stage's end
/// stay where they are until a later stage reads them.
Result<SplitModel> buildGroupPlan(const Graph& graph, const GroupDesign& design);

}  // namespace narrows
