#include "narrows/prune/importance.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "narrows/graph/extract.h"

namespace narrows {
namespace {

/// Mean |weight| of each output channel of a weighted node; empty for other nodes.
std::vector<double> filterMagnitudes(const Graph& graph, const Node& node) {
  std::size_t axis = 0;
  if (std::holds_alternative<ConvTranspose2d>(node.op)) {
    axis = 1;
  } else if (const auto* gemm = std::get_if<Gemm>(&node.op)) {
    axis = gemm->transpose_b ? 0 : 1;
  } else if (!std::holds_alternative<Conv2d>(node.op)) {
    return {};
  }
  const auto constant = graph.value(node.inputs[1]).constant;
  if (constant == nullptr || constant->dtype() != DType::f32) return {};
  const auto channels = static_cast<std::size_t>(constant->shape()[axis]);
  std::size_t inner = 1;
  for (std::size_t a = axis + 1; a < constant->shape().rank(); ++a) {
    inner *= static_cast<std::size_t>(constant->shape()[a]);
  }
  std::vector<double> sums(channels, 0.0);
  const auto values = constant->as<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    sums[i / inner % channels] += std::abs(static_cast<double>(values[i]));
  }
  for (double& sum : sums) {
    sum *= static_cast<double>(channels) / static_cast<double>(values.size());
  }
  return sums;
}

void addTo(std::vector<double>& groups, const std::vector<std::size_t>& of,
           const std::vector<double>& weights) {
  if (of.size() != weights.size()) return;
  for (std::size_t c = 0; c < of.size(); ++c) groups[of[c]] += weights[c];
}

}  // namespace

std::vector<double> magnitudeImportance(const Graph& graph, const ChannelGroups& groups) {
  std::vector<double> importance(groups.count(), 0.0);
  for (const Node& node : graph.nodes()) {
    addTo(importance, groups.of(node.outputs[0]), filterMagnitudes(graph, node));
  }
  return importance;
}

Result<std::vector<double>> normImportance(const Graph& graph, const ChannelGroups& groups) {
  std::vector<double> importance(groups.count(), 0.0);
  std::vector<bool> known(groups.count(), false);
  for (const Node& node : graph.nodes()) {
    if (!std::holds_alternative<BatchNorm>(node.op)) continue;
    const auto scale = graph.value(node.inputs[1]).constant;
    if (scale == nullptr || scale->dtype() != DType::f32) continue;
    const auto& of = groups.of(node.outputs[0]);
    for (std::size_t c = 0; c < of.size(); ++c) {
      importance[of[c]] += std::abs(static_cast<double>(scale->as<float>()[c]));
      known[of[c]] = true;
    }
  }
  for (std::size_t v = 0; v < graph.valueCount(); ++v) {
    for (const std::size_t group : groups.of(ValueId(v))) {
      if (known[group] || !groups.removable(group)) continue;
      return makeError(
          "{} has channels without batch normalisation; rank them by magnitude or "
          "taylor",
          graph.value(ValueId(v)).name);
    }
  }
  return importance;
}

std::vector<ValueId> importanceValues(const Graph& graph, const ChannelGroups& groups) {
  std::vector<ValueId> values;
  for (const Node& node : graph.nodes()) {
    const bool weighted = !filterMagnitudes(graph, node).empty();
    const auto& of = groups.of(node.outputs[0]);
    const auto free = [&](std::size_t group) { return groups.removable(group); };
    if (weighted && std::any_of(of.begin(), of.end(), free)) values.push_back(node.outputs[0]);
  }
  return values;
}

std::vector<double> sumByGroup(const ChannelGroups& groups, std::span<const ValueId> values,
                               std::span<const std::vector<double>> weights) {
  std::vector<double> importance(groups.count(), 0.0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    addTo(importance, groups.of(values[i]), weights[i]);
  }
  return importance;
}

std::vector<bool> stepGroups(const Graph& graph, const ChannelGroups& groups, const Cut& cut,
                             PruneStep step) {
  std::vector<bool> crossing(groups.count(), false);
  for (const ValueId value : cut.values) {
    for (const std::size_t group : groups.of(value)) crossing[group] = true;
  }
  std::vector<bool> chosen(groups.count(), false);
  if (step == PruneStep::cut) {
    chosen = crossing;
  } else if (auto nodes = nodesBetween(graph, graph.inputs(), cut.values); nodes.ok()) {
    for (const NodeId node : *nodes) {
      for (const ValueId output : graph.node(node).outputs) {
        for (const std::size_t group : groups.of(output)) chosen[group] = !crossing[group];
      }
    }
  }
  for (std::size_t g = 0; g < chosen.size(); ++g) chosen[g] = chosen[g] && groups.removable(g);
  return chosen;
}

std::vector<bool> chooseGroups(const Graph& graph, const ChannelGroups& groups,
                               const std::vector<bool>& candidates,
                               const std::vector<double>& importance, double share, double least) {
  // A group's layer is the first value that holds it.
  std::vector<double> scaled(groups.count(), -1.0);
  for (std::size_t v = 0; v < graph.valueCount(); ++v) {
    const auto& of = groups.of(ValueId(v));
    double squares = 0;
    for (const std::size_t group : of) squares += importance[group] * importance[group];
    const double mean =
        std::sqrt(squares / static_cast<double>(std::max<std::size_t>(1, of.size())));
    for (const std::size_t group : of) {
      if (scaled[group] < 0) scaled[group] = mean > 0 ? importance[group] / mean : 0;
    }
  }
  std::vector<std::size_t> order;
  for (std::size_t g = 0; g < groups.count(); ++g) {
    if (candidates[g]) order.push_back(g);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scaled[a] < scaled[b]; });
  const auto wanted = static_cast<std::size_t>(share * static_cast<double>(order.size()) + 0.5);

  // Channels that each value still has, and may lose.
  std::vector<std::vector<std::size_t>> holders(groups.count());
  std::vector<std::size_t> left(graph.valueCount(), 0);
  std::vector<std::size_t> floor(graph.valueCount(), 0);
  for (std::size_t v = 0; v < graph.valueCount(); ++v) {
    const auto& of = groups.of(ValueId(v));
    left[v] = of.size();
    floor[v] = std::max<std::size_t>(
        1, static_cast<std::size_t>(std::ceil(least * static_cast<double>(of.size()))));
    for (const std::size_t group : of) holders[group].push_back(v);
  }
  std::vector<bool> removed(groups.count(), false);
  std::size_t taken = 0;
  for (const std::size_t group : order) {
    if (taken == wanted) break;
    for (const std::size_t v : holders[group]) --left[v];
    const bool fits = std::all_of(holders[group].begin(), holders[group].end(),
                                  [&](std::size_t v) { return left[v] >= floor[v]; });
    if (!fits) {
      for (const std::size_t v : holders[group]) ++left[v];
      continue;
    }
    removed[group] = true;
    ++taken;
  }
  return removed;
}

}  // namespace narrows
