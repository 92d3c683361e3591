#include "narrows/torch/dual_head.h"

#include <map>

#include "narrows/graph/copy.h"

namespace narrows {
namespace {

using Marks = std::vector<bool>;

/// By value: whether `end` is it or depends on it; constants aside.
Marks valuesBefore(const Graph& graph, ValueId end) {
  Marks marks(graph.valueCount(), false);
  marks[end.index()] = true;
  for (std::size_t i = graph.nodeCount(); i-- > 0;) {
    const Node& node = graph.nodes()[i];
    bool needed = false;
    for (const ValueId output : node.outputs) needed = needed || marks[output.index()];
    if (!needed) continue;
    for (const ValueId input : node.inputs) {
      if (input.valid() && !graph.value(input).isConstant()) marks[input.index()] = true;
    }
  }
  return marks;
}

/// By value: whether it depends on `start`, or is it.
Marks valuesBehind(const Graph& graph, ValueId start) {
  Marks marks(graph.valueCount(), false);
  marks[start.index()] = true;
  for (const Node& node : graph.nodes()) {
    bool reads = false;
    for (const ValueId input : node.inputs) {
      reads = reads || (input.valid() && marks[input.index()]);
    }
    for (const ValueId output : node.outputs) {
      if (reads) marks[output.index()] = true;
    }
  }
  return marks;
}

/// The branches of one map.
struct Branches {
  ValueId neck;
  ValueId end;  // reshaped to cells
  Marks inside;
};

Result<Branches> findBranches(const Graph& graph, ValueId end, std::int64_t classes) {
  const auto wrong = [&] {
    return makeError("{} is no pair of branches for distances and {} scores", graph.value(end).name,
                     classes);
  };
  ValueId joined = end;
  while (graph.value(joined).producer.valid()) {
    const Node& node = graph.node(graph.value(joined).producer);
    if (!std::holds_alternative<Reshape>(node.op)) break;
    joined = node.inputs[0];
  }
  if (!graph.value(joined).producer.valid()) return wrong();
  const Node& node = graph.node(graph.value(joined).producer);
  const auto* concat = std::get_if<Concat>(&node.op);
  if (concat == nullptr || concat->axis != 1 || node.inputs.size() != 2 ||
      graph.shape(node.inputs[1])[1] != classes) {
    return wrong();
  }
  const Marks boxes = valuesBefore(graph, node.inputs[0]);
  const Marks scores = valuesBefore(graph, node.inputs[1]);
  Branches branches;
  branches.end = end;
  for (std::size_t i = 0; i < graph.valueCount(); ++i) {
    if (boxes[i] && scores[i]) branches.neck = ValueId(i);
  }
  if (!branches.neck.valid()) return wrong();
  branches.inside = valuesBefore(graph, end);
  const Marks before = valuesBefore(graph, branches.neck);
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i]) branches.inside[i] = false;
  }
  return branches;
}

/// The latest value on the way to the output that joins one map for each stride.
ValueId findCells(const Graph& graph, std::size_t maps) {
  ValueId found;
  const Marks before = valuesBefore(graph, graph.outputs()[0]);
  for (const Node& node : graph.nodes()) {
    const auto* concat = std::get_if<Concat>(&node.op);
    if (concat == nullptr || concat->axis != 2 || node.inputs.size() != maps) continue;
    if (graph.shape(node.outputs[0]).rank() == 3 && before[node.outputs[0].index()]) {
      found = node.outputs[0];
    }
  }
  return found;
}

class Doubler {
 public:
  Doubler(const Graph& graph, ValueId cells, std::vector<Branches> branches)
      : graph_(graph), cells_(cells), branches_(std::move(branches)), copy_(graph) {}

  Result<DualHead> run() {
    copy_.addInputs();
    std::vector<ValueId> ends;
    for (const NodeId id : nodeIds(graph_)) {
      const Branches* of = branchesOf(id);
      if (of == nullptr) {
        NARROWS_CHECK(copy_.copyNode(id));
      } else {
        NARROWS_CHECK(addTwice(id, *of));
      }
    }
    for (const Branches& branches : branches_) ends.push_back(twins_.at(branches.end));
    const std::string name = graph_.value(cells_).name;
    NARROWS_TRY(many, copy_.graph().add(Concat{2}, ends, name + ".many"));
    NARROWS_CHECK(copy_.setOutputs(graph_.outputs()));
    dual_.one = name;
    dual_.many = copy_.graph().value(many).name;
    const Marks behind = valuesBehind(graph_, cells_);
    for (const Node& node : graph_.nodes()) {
      if (!behind[node.outputs[0].index()] || node.outputs[0] == cells_) continue;
      for (const ValueId input : node.inputs) {
        if (input.valid() && graph_.value(input).isConstant()) {
          dual_.fixed.push_back(graph_.value(input).name);
        }
      }
    }
    dual_.graph = std::move(copy_).take();
    return std::move(dual_);
  }

 private:
  const Branches* branchesOf(NodeId id) const {
    for (const Branches& branches : branches_) {
      if (branches.inside[graph_.node(id).outputs[0].index()]) return &branches;
    }
    return nullptr;
  }

  /// The node of the one-to-one branches, and its copy in the one-to-many ones.
  Status addTwice(NodeId id, const Branches& branches) {
    const Node& node = graph_.node(id);
    std::vector<ValueId> one;
    std::vector<ValueId> many;
    for (const ValueId input : node.inputs) {
      one.push_back(copy_.at(input));
      many.push_back(one.back());
      if (!input.valid()) continue;
      if (input == branches.neck) {
        NARROWS_TRY(neck, neckOf(input));
        one.back() = neck;
      } else if (graph_.value(input).isConstant()) {
        many.back() = twinOf(input);
      } else if (const auto twin = twins_.find(input); twin != twins_.end()) {
        many.back() = twin->second;
      }
    }
    NARROWS_CHECK(copy_.replaceNode(id, node.op, one));
    NARROWS_TRY(twin, copy_.graph().addNode(node.op, many, node.name + ".many"));
    for (std::size_t k = 0; k < node.outputs.size(); ++k) {
      twins_[node.outputs[k]] = copy_.graph().node(twin).outputs[k];
    }
    return {};
  }

  Result<ValueId> neckOf(ValueId map) {
    const auto known = necks_.find(map);
    if (known != necks_.end()) return known->second;
    NARROWS_TRY(neck,
                copy_.graph().add(Identity{}, {copy_.at(map)}, graph_.value(map).name + ".one"));
    dual_.necks.push_back(copy_.graph().value(neck).name);
    necks_[map] = neck;
    return neck;
  }

  ValueId twinOf(ValueId constant) {
    const auto known = twins_.find(constant);
    if (known != twins_.end()) return known->second;
    const std::string& name = graph_.value(constant).name;
    const ValueId twin = copy_.graph().addConstant(name + ".many", graph_.value(constant).constant);
    twins_[constant] = twin;
    dual_.copies.emplace_back(name, copy_.graph().value(twin).name);
    return twin;
  }

  const Graph& graph_;
  ValueId cells_;
  std::vector<Branches> branches_;
  GraphCopy copy_;
  std::map<ValueId, ValueId> twins_;  // by value of the network
  std::map<ValueId, ValueId> necks_;
  DualHead dual_;
};

}  // namespace

Result<DualHead> addOneToManyHead(const Graph& graph, const Head& head) {
  if (graph.outputs().empty()) return makeError("the network has no output");
  const ValueId cells = findCells(graph, head.strides.size());
  if (!cells.valid()) {
    return makeError("the network does not join the cells of {} maps", head.strides.size());
  }
  std::vector<Branches> branches;
  for (const ValueId end : graph.node(graph.value(cells).producer).inputs) {
    NARROWS_TRY(found, findBranches(graph, end, head.classes));
    branches.push_back(std::move(found));
  }
  return Doubler(graph, cells, std::move(branches)).run();
}

}  // namespace narrows
