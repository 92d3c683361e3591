#pragma once

#include <optional>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/graph/graph.h"
#include "narrows/graph/part.h"

namespace narrows {

/// Follows what a part of a network needs from its results back, one node at a time.
class StageWalk {
 public:
  explicit StageWalk(const Graph& graph)
      : graph_(&graph), wanted_(graph.valueCount()), read_(graph.valueCount()) {}

  /// A box that the part gives out, when a node that is walked over makes it.
  void want(ValueId value, const Region& box) { wanted_[value.index()] = box; }
  /// A box that the part reads.
  void read(ValueId value, const Region& box);

  struct Step {
    /// Of the node's work; 0 when the part does without it.
    double share = 0;
    /// Of operands and results, constants left out; of the constants.
    double bytes = 0;
    double weights = 0;
  };
  /// Nodes come in falling order, none left out.
  Result<Step> back(NodeId id);

  /// A value that is there while a node runs, and the node that makes it.
  struct Live {
    std::size_t maker = 0;
    double bytes = 0;
  };
  /// Those of the node walked over last: its results, and what it and nodes behind it read that
  /// earlier nodes make. Inputs of the model are left out.
  std::vector<Live> live() const;

  /// What the nodes walked over read of values that none of them makes.
  std::vector<ValueBox> reads() const;

 private:
  const Graph* graph_;
  std::vector<std::optional<Region>> wanted_;
  std::vector<std::optional<Region>> read_;
  std::size_t first_ = static_cast<std::size_t>(-1);
  double made_ = 0;  // bytes of the last node's results
};

}  // namespace narrows
