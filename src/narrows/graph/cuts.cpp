#include "narrows/graph/cuts.h"

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "narrows/graph/extract.h"

namespace narrows {
namespace {

/// The values and nodes on paths from inputs to outputs; all else does not matter to cuts.
class Paths {
 public:
  explicit Paths(const Graph& graph)
      : graph_(graph), value_(graph.valueCount(), false), node_(graph.nodeCount(), false) {
    std::vector<bool> reached(graph.valueCount(), false);
    for (ValueId input : graph.inputs()) reached[input.index()] = true;
    for (const Node& node : graph.nodes()) {
      const auto is_reached = [&](ValueId v) { return v.valid() && reached[v.index()]; };
      if (!std::any_of(node.inputs.begin(), node.inputs.end(), is_reached)) continue;
      for (ValueId output : node.outputs) reached[output.index()] = true;
    }
    std::vector<bool> leads(graph.valueCount(), false);
    for (ValueId output : graph.outputs()) leads[output.index()] = true;
    for (std::size_t i = graph.nodeCount(); i-- > 0;) {
      const Node& node = graph.nodes()[i];
      const auto is_leading = [&](ValueId v) { return leads[v.index()]; };
      if (!std::any_of(node.outputs.begin(), node.outputs.end(), is_leading)) continue;
      for (ValueId input : node.inputs) {
        if (input.valid()) leads[input.index()] = true;
      }
    }
    for (std::size_t i = 0; i < value_.size(); ++i) value_[i] = reached[i] && leads[i];
    for (std::size_t i = 0; i < node_.size(); ++i) {
      const Node& node = graph.nodes()[i];
      node_[i] = std::any_of(node.outputs.begin(), node.outputs.end(),
                             [&](ValueId v) { return value_[v.index()]; });
    }
  }

  bool has(ValueId value) const { return value.valid() && value_[value.index()]; }
  bool has(NodeId node) const { return node_[node.index()]; }

  std::vector<ValueId> inputs() const {
    std::vector<ValueId> inputs;
    for (ValueId input : graph_.inputs()) {
      if (has(input)) inputs.push_back(input);
    }
    return inputs;
  }
  /// Distinct readers on paths.
  std::size_t readers(ValueId value) const {
    const auto consumers = graph_.consumers(value);
    return static_cast<std::size_t>(
        std::count_if(consumers.begin(), consumers.end(), [&](NodeId id) { return has(id); }));
  }

 private:
  const Graph& graph_;
  std::vector<bool> value_;
  std::vector<bool> node_;
};

Cut describe(const Graph& graph, std::vector<ValueId> values) {
  Cut cut;
  cut.values = std::move(values);
  const auto before = nodesBetween(graph, graph.inputs(), cut.values);
  // What the cut does not separate is given too, so that a wrong cut is described, not crashed on.
  std::vector<ValueId> given = cut.values;
  for (ValueId input : graph.inputs()) {
    if (std::find(given.begin(), given.end(), input) == given.end()) given.push_back(input);
  }
  const auto after = nodesBetween(graph, given, graph.outputs());
  NARROWS_ASSERT(before.ok() && after.ok());
  cut.before = cost(graph, *before);
  cut.after = cost(graph, *after);
  cut.memory_before = peakMemory(graph, *before, graph.inputs(), cut.values);
  const auto after_inputs = std::span(given).first(cut.values.size());
  std::vector<ValueId> wanted(graph.outputs().begin(), graph.outputs().end());
  cut.memory_after = peakMemory(graph, *after, after_inputs, wanted);
  if (cut.values.size() == 1) {
    const ValueId storage = storageOf(graph, cut.values[0]);
    if (storage != cut.values[0]) cut.alias_of = storage;
  }
  return cut;
}

/// Topological rank of values: inputs first, then outputs of nodes in order.
std::vector<std::size_t> topologicalRanks(const Graph& graph) {
  std::vector<std::size_t> ranks(graph.valueCount(), 0);
  std::size_t next = 0;
  for (ValueId input : graph.inputs()) ranks[input.index()] = next++;
  for (const Node& node : graph.nodes()) {
    for (ValueId output : node.outputs) ranks[output.index()] = next++;
  }
  return ranks;
}

/// Whether no node on a path is left after the cut: the node side computes all outputs.
bool coversOutputs(const Graph& graph, const Paths& paths, const std::vector<ValueId>& values) {
  const auto outputs = graph.outputs();
  return std::all_of(outputs.begin(), outputs.end(), [&](ValueId output) {
    return !paths.has(output) || std::find(values.begin(), values.end(), output) != values.end();
  });
}

/// Finds the frontiers of all sets of nodes that are closed under predecessors: the values such a
/// set has made that something outside it, or the caller, still wants. Nodes are decided in
/// topological order, in or out; a node that reads from one that is out is out. Each value that a
/// node outside reads is on the frontier for good, so a branch ends once too many are. Each set is
/// met once.
class FrontierSearch {
 public:
  FrontierSearch(const Graph& graph, const CutSearch& limits)
      : graph_(graph),
        limits_(limits),
        paths_(graph),
        ranks_(topologicalRanks(graph)),
        wanted_(graph.valueCount(), 0) {
    for (NodeId id : nodeIds(graph)) {
      if (paths_.has(id)) steps_.push_back(describe(id));
    }
    made_.assign(graph.valueCount(), false);
  }

  /// Whether every frontier was found within the limits.
  bool run() {
    for (ValueId input : paths_.inputs()) make(input);
    std::size_t budget = limits_.step_limit;
    std::size_t next = 0;
    while (true) {
      if (frontier_.size() > limits_.most_tensors) {
        if (!backtrack(next)) return complete_;
      } else if (next == steps_.size()) {
        keep(frontier_);
        if (!backtrack(next)) return complete_;
      } else {
        if (budget-- == 0) return false;
        decide(steps_[next], isFed(steps_[next]) ? Side::inside : Side::outside_forced);
        ++next;
      }
      if (!complete_) return false;
    }
  }

  std::vector<std::vector<ValueId>> takeFrontiers() { return std::move(frontiers_); }
  std::size_t rank(ValueId value) const { return ranks_[value.index()]; }

 private:
  enum class Side : std::uint8_t { inside, outside, outside_forced };
  struct Step {
    std::vector<ValueId> inputs;  // on paths, each once
    std::vector<ValueId> outputs;
    Side side = Side::inside;
  };

  Step describe(NodeId id) const {
    Step step;
    for (ValueId input : graph_.node(id).inputs) {
      const bool known =
          std::find(step.inputs.begin(), step.inputs.end(), input) != step.inputs.end();
      if (paths_.has(input) && !known) step.inputs.push_back(input);
    }
    for (ValueId output : graph_.node(id).outputs) {
      if (paths_.has(output)) step.outputs.push_back(output);
    }
    return step;
  }

  bool isFed(const Step& step) const {
    return std::all_of(step.inputs.begin(), step.inputs.end(),
                       [&](ValueId v) { return made_[v.index()]; });
  }

  void make(ValueId value) {
    made_[value.index()] = true;
    if (graph_.isOutput(value)) want(value);
  }
  void unmake(ValueId value) {
    if (graph_.isOutput(value)) unwant(value);
    made_[value.index()] = false;
  }
  void want(ValueId value) {
    if (wanted_[value.index()]++ == 0) frontier_.push_back(value);
  }
  // Undone in reverse order, so the value to take away is the last.
  void unwant(ValueId value) {
    if (--wanted_[value.index()] == 0) frontier_.pop_back();
  }

  void decide(Step& step, Side side) {
    step.side = side;
    if (side == Side::inside) {
      for (ValueId output : step.outputs) make(output);
      return;
    }
    for (ValueId input : step.inputs) {
      if (made_[input.index()]) want(input);
    }
  }

  void undo(Step& step) {
    if (step.side == Side::inside) {
      std::for_each(step.outputs.rbegin(), step.outputs.rend(), [&](ValueId v) { unmake(v); });
      return;
    }
    std::for_each(step.inputs.rbegin(), step.inputs.rend(), [&](ValueId v) {
      if (made_[v.index()]) unwant(v);
    });
  }

  /// Turns the last node that is in to out; false when there is none.
  bool backtrack(std::size_t& next) {
    while (next > 0) {
      Step& step = steps_[--next];
      undo(step);
      if (step.side == Side::inside) {
        decide(step, Side::outside);
        ++next;
        return true;
      }
    }
    return false;
  }

  void keep(std::vector<ValueId> values) {
    if (values.empty() || coversOutputs(graph_, paths_, values)) return;
    const auto inputs = paths_.inputs();
    const auto crosses = [&](ValueId v) {
      return std::find(values.begin(), values.end(), v) != values.end();
    };
    if (std::all_of(inputs.begin(), inputs.end(), crosses)) return;
    std::unordered_set<ValueId> storages;
    for (ValueId value : values) {
      if (!storages.insert(storageOf(graph_, value)).second) return;
    }
    if (frontiers_.size() >= limits_.cut_limit) {
      complete_ = false;
      return;
    }
    std::sort(values.begin(), values.end(),
              [&](ValueId a, ValueId b) { return rank(a) < rank(b); });
    frontiers_.push_back(std::move(values));
  }

  const Graph& graph_;
  const CutSearch& limits_;
  Paths paths_;
  std::vector<std::size_t> ranks_;
  std::vector<Step> steps_;
  std::vector<bool> made_;
  std::vector<std::uint32_t> wanted_;  // readers outside, and the caller
  std::vector<ValueId> frontier_;
  std::vector<std::vector<ValueId>> frontiers_;
  bool complete_ = true;
};

}  // namespace

std::int64_t cutElements(const Graph& graph, const Cut& cut) {
  std::int64_t elements = 0;
  for (ValueId value : cut.values) elements += graph.type(value).elements();
  return elements;
}

std::size_t cutBytes(const Graph& graph, const Cut& cut, int bits) {
  std::size_t bytes = 0;
  for (ValueId value : cut.values) {
    const auto elements = static_cast<std::size_t>(graph.type(value).elements());
    bytes += (elements * static_cast<std::size_t>(bits) + 7) / 8;
  }
  return bytes;
}

std::string cutName(const Graph& graph, const Cut& cut) {
  std::string name;
  for (ValueId value : cut.values) {
    if (!name.empty()) name += '+';
    name += graph.value(value).name;
  }
  return name;
}

std::string joinedShapes(const Graph& graph, std::span<const ValueId> values) {
  std::string text;
  for (ValueId value : values) text += (text.empty() ? "" : " + ") + toString(graph.shape(value));
  return text;
}

std::vector<Cut> singleTensorCuts(const Graph& graph) {
  const Paths paths(graph);
  std::vector<std::size_t> pending(graph.valueCount(), 0);
  std::size_t live = 0;
  const auto open = [&](ValueId value) {
    if (!paths.has(value)) return;
    pending[value.index()] = paths.readers(value) + (graph.isOutput(value) ? 1 : 0);
    ++live;
  };
  for (ValueId input : graph.inputs()) open(input);
  std::vector<Cut> cuts;
  for (NodeId id : nodeIds(graph)) {
    if (!paths.has(id)) continue;
    const Node& node = graph.node(id);
    for (ValueId output : node.outputs) open(output);
    std::vector<ValueId> seen;
    for (ValueId input : node.inputs) {
      if (!paths.has(input) || std::find(seen.begin(), seen.end(), input) != seen.end()) continue;
      seen.push_back(input);
      if (--pending[input.index()] == 0) --live;
    }
    if (live != 1) continue;
    // The one live value is an output of this node: a value that separates comes after all that
    // leads to it and before all that follows.
    for (ValueId output : node.outputs) {
      if (!paths.has(output) || coversOutputs(graph, paths, {output})) continue;
      cuts.push_back(describe(graph, {output}));
    }
  }
  return cuts;
}

CutList multiTensorCuts(const Graph& graph, const CutSearch& search) {
  FrontierSearch frontiers(graph, search);
  CutList list;
  list.complete = frontiers.run();
  auto sets = frontiers.takeFrontiers();
  std::sort(sets.begin(), sets.end(), [&](const auto& a, const auto& b) {
    const auto key = [&](const std::vector<ValueId>& set) {
      std::vector<std::size_t> ranks{frontiers.rank(set.back()), set.size()};
      for (ValueId value : set) ranks.push_back(frontiers.rank(value));
      return ranks;
    };
    return key(a) < key(b);
  });
  for (auto& set : sets) list.cuts.push_back(describe(graph, std::move(set)));
  return list;
}

Result<Cut> makeCut(const Graph& graph, std::vector<ValueId> values) {
  const auto ranks = topologicalRanks(graph);
  std::sort(values.begin(), values.end(),
            [&](ValueId a, ValueId b) { return ranks[a.index()] < ranks[b.index()]; });
  if (values.empty()) return makeError("a cut needs at least one value");
  if (std::adjacent_find(values.begin(), values.end()) != values.end()) {
    return makeError("a value is named twice in one cut");
  }
  for (ValueId value : values) {
    if (graph.value(value).isConstant()) {
      return makeError("\"{}\" is a constant and cannot be cut", graph.value(value).name);
    }
  }
  const std::string name = [&] {
    Cut unnamed;
    unnamed.values = values;
    return cutName(graph, unnamed);
  }();
  auto after = nodesBetween(graph, values, graph.outputs());
  if (!after.ok()) {
    return makeError("\"{}\" does not separate the inputs from the outputs: {}", name,
                     after.error().message);
  }
  NARROWS_TRY(before, nodesBetween(graph, graph.inputs(), values));
  const Paths paths(graph);
  for (ValueId value : values) {
    if (!paths.has(value)) {
      return makeError("\"{}\" does not lie between the inputs and the outputs",
                       graph.value(value).name);
    }
  }
  std::vector<bool> in_before(graph.nodeCount(), false);
  for (NodeId id : before) in_before[id.index()] = true;
  for (NodeId id : *after) {
    if (in_before[id.index()] && paths.has(id)) {
      return makeError("\"{}\" is no cut: node \"{}\" would run on both sides", name,
                       graph.node(id).name);
    }
  }
  std::vector<bool> read(graph.valueCount(), false);
  for (NodeId id : *after) {
    for (ValueId input : graph.node(id).inputs) {
      if (input.valid()) read[input.index()] = true;
    }
  }
  for (ValueId value : values) {
    if (!read[value.index()] && !graph.isOutput(value)) {
      return makeError("\"{}\" is no cut: \"{}\" is not read after it", name,
                       graph.value(value).name);
    }
  }
  return describe(graph, std::move(values));
}

Result<Cut> findCut(const Graph& graph, std::string_view names) {
  std::vector<ValueId> values;
  std::string_view rest = names;
  while (true) {
    // The longest name that is there wins, so that names may hold "+".
    std::size_t end = rest.size();
    ValueId found;
    while (true) {
      found = graph.findValue(rest.substr(0, end));
      if (found.valid()) break;
      const std::size_t plus = end == 0 ? std::string_view::npos : rest.rfind('+', end - 1);
      if (plus == std::string_view::npos) {
        return makeError("cut \"{}\": the graph has no value \"{}\"", names,
                         rest.substr(0, rest.find('+')));
      }
      end = plus;
    }
    values.push_back(found);
    if (end == rest.size()) break;
    rest.remove_prefix(end + 1);
  }
  return makeCut(graph, std::move(values));
}

}  // namespace narrows
