#pragma once

#include <span>
#include <string>
#include <vector>

#include "narrows/graph/cuts.h"
#include "narrows/prune/channel_groups.h"

namespace narrows {

/// Importance of each group, by what its channels are made from; 0 for groups that nothing makes.
/// Magnitude: sum over the group's filters of the mean |weight| (Li et al. 2017, section 3.1, per
/// element).
std::vector<double> magnitudeImportance(const Graph& graph, const ChannelGroups& groups);
/// Sum of |scale| over the batch normalisations of the group's channels (Liu et al. 2017, section
/// 3); an error when a removable group has none.
Result<std::vector<double>> normImportance(const Graph& graph, const ChannelGroups& groups);

/// Values whose channels stand for the groups: outputs of convolutions and matrix products before
/// normalisation is gone, each group of channels at least once.
std::vector<ValueId> importanceValues(const Graph& graph, const ChannelGroups& groups);
/// Sum over the values of what their channels weigh, one vector for each value.
std::vector<double> sumByGroup(const ChannelGroups& groups, std::span<const ValueId> values,
                               std::span<const std::vector<double>> weights);

/// Groups that a step of pruning may remove.
enum class PruneStep : std::uint8_t {
  /// Those of the cut's values: fewer bytes cross.
  cut,
  /// Those made before the cut that do not cross it: fewer MACs on the node.
  before,
};
std::vector<bool> stepGroups(const Graph& graph, const ChannelGroups& groups, const Cut& cut,
                             PruneStep step);

/// The least important `share` of the candidates, importances over the root mean square of their
/// layer's (Molchanov et al. 2017, section 2.3), such that every value keeps at least `least` of
/// its channels and one.
std::vector<bool> chooseGroups(const Graph& graph, const ChannelGroups& groups,
                               const std::vector<bool>& candidates,
                               const std::vector<double>& importance, double share, double least);

}  // namespace narrows
