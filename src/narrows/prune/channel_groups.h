#pragma once

#include <cstddef>
#include <limits>
#include <vector>

#include "narrows/graph/graph.h"

namespace narrows {

/// Which channels of a network go together: a channel that is added to another, scaled by one,
/// filtered on its own or joined into a wider map can only be removed everywhere or nowhere. A
/// group is such a set of channels (features, for matrix products) over all values. Groups that
/// operators hold in place, and those of the graph's inputs and outputs, cannot be removed.
class ChannelGroups {
 public:
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

  static ChannelGroups find(const Graph& graph);

  std::size_t count() const { return removable_.size(); }
  bool removable(std::size_t group) const { return removable_[group]; }
  /// The group of each channel (axis 1) of a value; empty for values without such an axis, or whose
  /// channels cannot be told apart any more.
  const std::vector<std::size_t>& of(ValueId value) const { return of_[value.index()]; }

 private:
  friend class GroupFinder;
  std::vector<std::vector<std::size_t>> of_;  // by value
  std::vector<bool> removable_;
};

/// The graph without the channels of these groups (one flag for each): filters, their biases,
/// normalisations and the weights that read them are gone, so that parameters and MACs fall. Names
/// of values are kept. No removed group leaves the graph equal. Fails when a group is not removable
/// or a value would be left without channels; the error names the value.
Result<Graph> removeChannels(const Graph& graph, const ChannelGroups& groups,
                             const std::vector<bool>& removed);

}  // namespace narrows
