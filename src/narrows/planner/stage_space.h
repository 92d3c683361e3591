#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/cost/device_group.h"
#include "narrows/graph/graph.h"
#include "narrows/graph/part.h"
#include "narrows/plan/group.h"

/// The stages that a plan over a group can be made of, and what each takes.
namespace narrows {

/// A way to divide what leaves a stage, which is also how it then lies on the devices.
struct Layout {
  enum class Kind : std::uint8_t { whole, grid, channels };
  Kind kind = Kind::whole;
  /// Of a grid; a whole or channels are one row of columns.
  std::vector<double> rows{1};
  std::vector<double> columns{1};
  /// One for each part, row by row.
  std::vector<std::size_t> devices;
};

/// What a stage takes of one device.
struct StageLoad {
  double seconds = 0;
  /// Bytes: of its weights, and the largest layer's operands and results.
  double weights = 0;
  double activations = 0;
};

/// Boxes of values that a part reads from before its stage.
struct PartReads {
  std::size_t device = 0;
  std::vector<ValueBox> boxes;
};

struct Stage {
  enum class Kind : std::uint8_t { divided, summed };
  Kind kind = Kind::divided;
  /// Boundaries.
  std::size_t begin = 0;
  std::size_t end = 0;
  /// Index of a layout: how its result lies; of a sum that one device adds up, how its parts do.
  std::size_t layout = 0;
  /// The device that adds partial sums up; without one each adds up the channels of its own.
  std::optional<std::size_t> merge;
  /// Bytes of a partial sum, whole.
  double sum_bytes = 0;
  std::vector<PartReads> reads;
  std::vector<StageLoad> loads;  // by device
};

/// Boundaries between layers, layouts over a group and stages between boundaries. A boundary lies
/// before a node that is not elementwise, where few values cross.
class StageSpace {
 public:
  /// `wire_ratio`: bytes that move for each byte of elements.
  static Result<StageSpace> create(const Graph& graph, const DeviceGroup& group,
                                   double wire_ratio = 1);

  double wireRatio() const { return wire_ratio_; }

  /// Node numbers; the first is 0, the last the count of nodes.
  std::span<const std::size_t> boundaries() const { return boundaries_; }
  std::span<const Layout> layouts() const { return layouts_; }
  /// The layout that is whole on a device; the source and the sink have one always, in a large
  /// group only some others do.
  std::optional<std::size_t> wholeOn(std::size_t device) const { return whole_on_[device]; }
  std::span<const Stage> stages() const { return stages_; }
  /// Values that are read behind a boundary, or are outputs of the model.
  std::span<const ValueId> crossing(std::size_t boundary) const { return crossing_[boundary]; }

  /// Bytes that each device has to get (`received`) from each other one (`sent`), when what crosses
  /// the stage's beginning lies as `from`.
  struct Flow {
    std::vector<double> sent;
    std::vector<double> received;
    double total = 0;
  };
  Flow flowInto(const Stage& stage, std::size_t from) const;
  /// Its bytes, and the time that `secondsOf` gives; kept once computed.
  struct FlowCost {
    float bytes = 0;
    float seconds = 0;
  };
  FlowCost costInto(std::size_t stage, std::size_t from) const {
    return flow_costs_[flow_of_[stage] * layouts_.size() + from];
  }
  /// To bring the model's outputs to the sink from the last boundary.
  Flow flowOut(std::size_t from) const;
  /// How long the flow takes: the busiest way, or all of a shared medium.
  double secondsOf(const Flow& flow) const;

  /// Seconds that a share of a node's work takes; its overhead is not shared.
  double timeOn(std::size_t device, std::size_t node, double share) const;

  /// The stages of the plan builder for a path through this space.
  std::vector<GroupStage> designOf(std::span<const std::size_t> path) const;

 private:
  StageSpace(const Graph& graph, const DeviceGroup& group, double wire_ratio)
      : graph_(&graph), group_(&group), wire_ratio_(wire_ratio) {}

  void findBoundaries();
  void makeLayouts();
  Status findTimes();
  Status makeStages();
  Status addGridStages(std::size_t end, std::size_t layout);
  Status addStage(std::size_t begin, std::size_t end, std::size_t layout);
  Status addSums(std::size_t begin, std::size_t end, std::size_t layout);
  Region boxOf(const Layout& layout, std::size_t part, const Shape& shape) const;
  void addFlow(const PartReads& reads, std::size_t from, Flow& flow) const;
  void holdBoxes();
  void findFlows();
  Flow emptyFlow() const;

  const Graph* graph_;
  const DeviceGroup* group_;
  double wire_ratio_;
  std::vector<std::size_t> boundaries_;
  std::vector<std::vector<ValueId>> crossing_;
  std::vector<Layout> layouts_;
  std::vector<Stage> stages_;
  struct NodeTime {
    double fixed = 0;
    double variable = 0;
  };
  std::vector<std::vector<NodeTime>> times_;  // by device and node
  std::vector<double> start_;                 // by device: once for each piece
  std::vector<std::optional<std::size_t>> whole_on_;
  std::vector<std::vector<std::vector<Region>>> held_;  // by value that crosses, layout and part
  std::vector<std::size_t> flow_of_;  // by stage: stages that read alike share one
  std::vector<FlowCost> flow_costs_;
};

}  // namespace narrows
