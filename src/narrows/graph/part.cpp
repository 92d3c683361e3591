#include "narrows/graph/part.h"

#include <algorithm>
#include <map>
#include <ranges>

#include "narrows/graph/node_need.h"
#include "narrows/tensor/absent.h"

namespace narrows {
namespace {

/// The elements of a box of a constant, or its type alone when it has no elements.
Tensor cutConstant(const Tensor& tensor, const Region& box) {
  const TensorType type{tensor.dtype(), box.shape()};
  if (!hasElements(tensor)) return withoutElements(type);
  Tensor part(type);
  copyRegion(tensor, box, part.mutableView(), Region::whole(type.shape));
  return part;
}

Region shifted(const Region& box, const Region& within) {
  Region result = box;
  for (std::size_t axis = 0; axis < box.rank(); ++axis) {
    const std::int64_t origin = within[axis].begin;
    result = result.with(axis, {box[axis].begin - origin, box[axis].end - origin});
  }
  return result;
}

class PartBuilder {
 public:
  PartBuilder(const Graph& graph, const PartRequest& request, std::string_view name)
      : graph_(graph),
        request_(request),
        given_(graph.valueCount(), false),
        needed_(graph.valueCount()),
        available_(graph.valueCount()) {
    part_.graph.name = name;
    for (ValueId value : request.given) given_[value.index()] = true;
  }

  Result<Part> build() {
    NARROWS_CHECK(walkBack());
    NARROWS_CHECK(takeInputs());
    for (const Step& step : std::views::reverse(steps_)) NARROWS_CHECK(addStep(step));
    std::vector<ValueId> outputs;
    for (const ValueBox& wanted : request_.wanted) {
      NARROWS_TRY(output, outputOf(wanted));
      outputs.push_back(output);
    }
    if (request_.partial) {
      NARROWS_TRY(output, addPartial(*request_.partial));
      outputs.push_back(output);
    }
    NARROWS_CHECK(part_.graph.setOutputs(std::move(outputs)));
    return std::move(part_);
  }

 private:
  struct Step {
    NodeId node;
    std::size_t output = 0;
    NodeNeed need;
  };
  struct Available {
    ValueId id;
    Region box;
  };

  void need(ValueId value, const Region& box) {
    if (graph_.value(value).isConstant()) return;
    std::optional<Region>& whole = needed_[value.index()];
    whole = whole ? whole->hull(box) : box;
  }

  /// Which boxes of which values are read, from the wanted ones to the given ones.
  Status walkBack() {
    if (request_.wanted.empty() && !request_.partial) return makeError("nothing is wanted");
    for (const ValueBox& wanted : request_.wanted) need(wanted.value, wanted.box);
    if (request_.partial) {
      const SummedLayer& layer = request_.partial->layer;
      need(layer.input,
           Region::whole(graph_.shape(layer.input)).with(layer.axis, request_.partial->channels));
    }
    for (std::size_t n = graph_.nodeCount(); n-- > 0;) {
      const Node& node = graph_.nodes()[n];
      for (std::size_t output = 0; output < node.outputs.size(); ++output) {
        const ValueId value = node.outputs[output];
        if (!needed_[value.index()] || given_[value.index()]) continue;
        NARROWS_TRY(node_need, needFor(graph_, NodeId(n), output, *needed_[value.index()]));
        for (std::size_t i = 0; i < node.inputs.size(); ++i) {
          if (node_need.inputs[i]) need(node.inputs[i], *node_need.inputs[i]);
        }
        steps_.push_back({NodeId(n), output, std::move(node_need)});
      }
    }
    for (ValueId input : graph_.inputs()) {
      if (needed_[input.index()] && !given_[input.index()]) {
        return makeError("input \"{}\" of the graph is needed and not among the given values",
                         graph_.value(input).name);
      }
    }
    return {};
  }

  const SummedLayer* summedFor(ValueId value) const {
    for (const SummedLayer& layer : request_.summed) {
      if (layer.output == value) return &layer;
    }
    return nullptr;
  }

  Status takeInputs() {
    for (std::size_t v = 0; v < graph_.valueCount(); ++v) {
      if (!given_[v] || !needed_[v]) continue;
      const Value& value = graph_.value(ValueId(v));
      const Region& box = *needed_[v];
      const SummedLayer* layer = summedFor(ValueId(v));
      const std::string name = layer != nullptr ? value.name + ".sum" : value.name;
      ValueId id = part_.graph.addInput(name, {value.type.dtype, box.shape()});
      part_.inputs.push_back({ValueId(v), box});
      if (layer != nullptr && layer->bias.valid()) {
        NARROWS_TRY(biased, addBias(id, *layer, box));
        id = biased;
      }
      available_[v] = Available{id, box};
    }
    return {};
  }

  /// Adds the part of the layer's bias that belongs to `box` of its result.
  Result<ValueId> addBias(ValueId sum, const SummedLayer& layer, const Region& box) {
    const Value& bias = graph_.value(layer.bias);
    const bool is_map = box.rank() == 4;
    Region wanted = Region::whole(bias.type.shape);
    const std::size_t last = wanted.rank() == 0 ? 0 : wanted.rank() - 1;
    // A map's bias is a vector over channels; a Gemm's third operand broadcasts to rows.
    if (wanted.rank() > 0 && bias.type.shape[last] > 1) {
      wanted = wanted.with(last, box[is_map ? 1 : box.rank() - 1]);
    }
    Tensor part = cutConstant(*bias.constant, wanted);
    if (is_map) part = std::move(part).reshaped(Shape{1, wanted.shape().elements(), 1, 1});
    const ValueId constant = part_.graph.addConstant(bias.name, std::move(part));
    return part_.graph.add(Binary{BinaryKind::add}, {sum, constant},
                           graph_.node(layer.node).name + ".bias_add",
                           graph_.value(layer.output).name);
  }

  /// The new value that holds `box` of an old one.
  Result<ValueId> fetch(ValueId value, const Region& box) {
    const Value& old = graph_.value(value);
    if (old.isConstant()) return constantBox(value, box);
    const std::optional<Available>& found = available_[value.index()];
    NARROWS_ASSERT(found && found->box.contains(box));
    if (found->box == box) return found->id;
    for (const auto& [key, id] : cut_[value.index()]) {
      if (key == box) return id;
    }
    Slice slice;
    const Region local = shifted(box, found->box);
    for (const Region::Interval& interval : local.intervals()) {
      slice.starts.push_back(interval.begin);
      slice.lengths.push_back(interval.length());
      slice.steps.push_back(1);
    }
    NARROWS_TRY(id, part_.graph.add(slice, {found->id}, old.name + ".box"));
    cut_[value.index()].emplace_back(box, id);
    return id;
  }

  ValueId constantBox(ValueId value, const Region& box) {
    for (const auto& [key, id] : cut_[value.index()]) {
      if (key == box) return id;
    }
    const Value& old = graph_.value(value);
    const bool whole = box == Region::whole(old.type.shape);
    const ValueId id = whole ? part_.graph.addConstant(old.name, old.constant)
                             : part_.graph.addConstant(old.name, cutConstant(*old.constant, box));
    cut_[value.index()].emplace_back(box, id);
    return id;
  }

  Status addStep(const Step& step) {
    const Node& node = graph_.node(step.node);
    std::vector<ValueId> inputs;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (!step.need.inputs[i]) {
        if (std::holds_alternative<Concat>(node.op)) continue;
        inputs.emplace_back();
        continue;
      }
      NARROWS_TRY(input, fetch(node.inputs[i], *step.need.inputs[i]));
      inputs.push_back(input);
    }
    const ValueId old = node.outputs[step.output];
    NARROWS_TRY(
        made, part_.graph.add(step.need.op, std::move(inputs), node.name, graph_.value(old).name));
    if (part_.graph.shape(made) != step.need.produced.shape()) {
      return makeError("node \"{}\" makes {} of the box {}", node.name,
                       toString(part_.graph.shape(made)), toString(step.need.produced));
    }
    available_[old.index()] = Available{made, step.need.produced};
    return {};
  }

  Result<ValueId> outputOf(const ValueBox& wanted) {
    NARROWS_TRY(id, fetch(wanted.value, wanted.box));
    const bool taken = std::find(taken_.begin(), taken_.end(), id) != taken_.end();
    const bool is_node_result = part_.graph.value(id).producer.valid();
    if (is_node_result && !taken) {
      taken_.push_back(id);
      return id;
    }
    const std::string& name = graph_.value(wanted.value).name;
    return part_.graph.add(Identity{}, {id}, name + ".pass", name + ".pass");
  }

  Result<ValueId> addPartial(const PartialSum& partial) {
    const SummedLayer& layer = partial.layer;
    const Node& node = graph_.node(layer.node);
    const Region box = Region::whole(graph_.shape(layer.input)).with(layer.axis, partial.channels);
    NARROWS_TRY(x, fetch(layer.input, box));
    const ValueId weight = node.inputs[1];
    const auto* gemm = std::get_if<Gemm>(&node.op);
    // Channels lie along axis 1 of a filter or of a transposed matrix, along axis 0 otherwise.
    const bool along_1 =
        std::holds_alternative<Conv2d>(node.op) || (gemm != nullptr && gemm->transpose_b);
    const Region slice =
        Region::whole(graph_.shape(weight)).with(along_1 ? 1 : 0, partial.channels);
    return part_.graph.add(node.op, {x, constantBox(weight, slice)}, node.name,
                           graph_.value(layer.output).name + ".partial");
  }

  const Graph& graph_;
  const PartRequest& request_;
  std::vector<bool> given_;
  std::vector<std::optional<Region>> needed_;
  std::vector<std::optional<Available>> available_;
  std::vector<Step> steps_;  // last first
  std::map<std::size_t, std::vector<std::pair<Region, ValueId>>> cut_;
  std::vector<ValueId> taken_;
  Part part_;
};

}  // namespace

std::optional<SummedLayer> summedLayer(const Graph& graph, NodeId node) {
  const Node& found = graph.node(node);
  if (found.inputs.size() < 2 || !graph.value(found.inputs[1]).isConstant()) return std::nullopt;
  const ValueId bias = found.input(2);
  if (bias.valid() && !graph.value(bias).isConstant()) return std::nullopt;
  SummedLayer layer{node, found.inputs[0], 1, found.outputs[0], bias};
  if (graph.value(layer.input).isConstant()) return std::nullopt;
  if (const auto* conv = std::get_if<Conv2d>(&found.op)) {
    if (conv->groups != 1) return std::nullopt;
    return layer;
  }
  if (const auto* gemm = std::get_if<Gemm>(&found.op)) {
    if (gemm->transpose_a || (bias.valid() && gemm->beta != 1)) return std::nullopt;
    return layer;
  }
  if (std::holds_alternative<MatMul>(found.op)) {
    if (graph.shape(found.inputs[0]).rank() != 2 || graph.shape(found.inputs[1]).rank() != 2) {
      return std::nullopt;
    }
    return layer;
  }
  return std::nullopt;
}

Result<Part> extractPart(const Graph& graph, const PartRequest& request, std::string_view name) {
  return PartBuilder(graph, request, name).build().within(fmt::format("part \"{}\"", name));
}

}  // namespace narrows
