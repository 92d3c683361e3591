#include <cstring>

#include "narrows/graph/copy.h"
#include "narrows/prune/channel_groups.h"

namespace narrows {
namespace {

/// Positions along an axis that stay.
using Kept = std::vector<std::int64_t>;

/// The slices of a tensor at these positions of an axis.
Tensor keepAlong(const Tensor& tensor, std::size_t axis, const Kept& kept) {
  std::vector<std::int64_t> extents(tensor.shape().extents().begin(),
                                    tensor.shape().extents().end());
  const auto old_extent = static_cast<std::size_t>(extents[axis]);
  extents[axis] = static_cast<std::int64_t>(kept.size());
  Tensor result(tensor.dtype(), *Shape::create(extents));
  std::size_t inner = byteSize(tensor.dtype());
  for (std::size_t a = axis + 1; a < extents.size(); ++a) {
    inner *= static_cast<std::size_t>(extents[a]);
  }
  std::size_t outer = 1;
  for (std::size_t a = 0; a < axis; ++a) outer *= static_cast<std::size_t>(extents[a]);
  std::byte* out = result.mutableView().bytes().data();
  const std::byte* in = tensor.view().bytes().data();
  for (std::size_t o = 0; o < outer; ++o) {
    for (const std::int64_t position : kept) {
      std::memcpy(out, in + (o * old_extent + static_cast<std::size_t>(position)) * inner, inner);
      out += inner;
    }
  }
  return result;
}

class Remover {
 public:
  Remover(const Graph& graph, const ChannelGroups& groups, const std::vector<bool>& removed)
      : graph_(graph), groups_(groups), removed_(removed), copy_(graph) {}

  Result<Graph> run() {
    NARROWS_CHECK(check());
    copy_.addInputs();
    for (const NodeId id : nodeIds(graph_)) {
      const Node& node = graph_.node(id);
      Op op = node.op;
      std::vector<ValueId> inputs = constantsCut(node);
      std::visit([&](auto& attributes) { adapt(attributes, node); }, op);
      NARROWS_CHECK(copy_.replaceNode(id, std::move(op), std::move(inputs)));
    }
    NARROWS_CHECK(copy_.setOutputs(graph_.outputs()));
    return std::move(copy_).take();
  }

 private:
  Status check() const {
    if (removed_.size() != groups_.count()) {
      return makeError("{} flags for {} groups", removed_.size(), groups_.count());
    }
    for (std::size_t g = 0; g < removed_.size(); ++g) {
      if (removed_[g] && !groups_.removable(g)) return makeError("group {} has to stay", g);
    }
    for (std::size_t v = 0; v < graph_.valueCount(); ++v) {
      if (!groups_.of(ValueId(v)).empty() && kept(ValueId(v)).empty()) {
        return makeError("{} would be left without channels", graph_.value(ValueId(v)).name);
      }
    }
    return {};
  }

  Kept kept(ValueId id) const {
    Kept positions;
    const auto& channels = groups_.of(id);
    for (std::size_t c = 0; c < channels.size(); ++c) {
      if (!removed_[channels[c]]) positions.push_back(static_cast<std::int64_t>(c));
    }
    return positions;
  }
  bool changes(ValueId id) const {
    return id.valid() && !groups_.of(id).empty() && kept(id).size() != groups_.of(id).size();
  }
  /// How many of the channels [first, last) stay.
  std::int64_t keptIn(ValueId id, std::int64_t first, std::int64_t last) const {
    std::int64_t count = 0;
    for (const std::int64_t position : kept(id)) count += position >= first && position < last;
    return count;
  }

  ValueId constantOf(ValueId id, const Tensor& tensor) {
    return copy_.graph().addConstant(graph_.value(id).name, tensor.clone());
  }

  /// Inputs in the new graph, constants without what belongs to removed channels.
  std::vector<ValueId> constantsCut(const Node& node) {
    std::vector<ValueId> inputs;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (!id.valid() || !graph_.value(id).isConstant()) {
        inputs.push_back(copy_.at(id));
        continue;
      }
      const Tensor& whole = *graph_.value(id).constant;
      Tensor part = whole.clone();
      cut(node, i, part);
      inputs.push_back(part.type() == whole.type() ? copy_.at(id) : constantOf(id, part));
    }
    return inputs;
  }

  void cutAlong(Tensor& tensor, std::size_t axis, ValueId like) const {
    if (changes(like)) tensor = keepAlong(tensor, axis, kept(like));
  }

  void cut(const Node& node, std::size_t input, Tensor& tensor) const {
    const ValueId x = node.inputs[0];
    const ValueId y = node.outputs[0];
    if (const auto* conv = std::get_if<Conv2d>(&node.op)) {
      cutAlong(tensor, 0, y);
      if (input == 1 && conv->groups == 1) cutAlong(tensor, 1, x);
    } else if (std::holds_alternative<ConvTranspose2d>(node.op)) {
      cutAlong(tensor, input == 1 ? 1 : 0, y);
      if (input == 1) cutAlong(tensor, 0, x);
    } else if (const auto* gemm = std::get_if<Gemm>(&node.op)) {
      if (input == 1) {
        cutAlong(tensor, gemm->transpose_b ? 0 : 1, y);
        cutAlong(tensor, gemm->transpose_b ? 1 : 0, x);
      } else {
        cutAlong(tensor, tensor.shape().rank() - 1, y);
      }
    } else if (std::holds_alternative<BatchNorm>(node.op)) {
      cutAlong(tensor, 0, y);
    } else if (std::holds_alternative<Binary>(node.op) || std::holds_alternative<PRelu>(node.op)) {
      cutBroadcast(tensor, y);
    }
  }

  /// A constant that is broadcast to the value: along its channel axis, if it has one.
  void cutBroadcast(Tensor& tensor, ValueId value) const {
    const std::size_t rank = graph_.shape(value).rank();
    const std::size_t own = tensor.shape().rank();
    if (own + 1 < rank) return;  // starts behind the channels
    const std::size_t axis = own + 1 - rank;
    if (axis >= own || tensor.shape()[axis] == 1) return;
    cutAlong(tensor, axis, value);
  }

  template <class Other>
  void adapt(Other&, const Node&) const {}
  void adapt(Conv2d& op, const Node& node) const {
    if (op.groups > 1 && changes(node.inputs[0])) {
      op.groups = static_cast<std::int64_t>(kept(node.inputs[0]).size());
    }
  }
  void adapt(Split& op, const Node& node) const {
    if (op.axis != 1 || groups_.of(node.inputs[0]).empty()) return;
    for (std::size_t i = 0; i < op.sizes.size(); ++i) {
      op.sizes[i] = static_cast<std::int64_t>(kept(node.outputs[i]).size());
    }
  }
  void adapt(Slice& op, const Node& node) const {
    const ValueId x = node.inputs[0];
    if (!changes(x)) return;
    const std::int64_t first = op.starts[1];
    op.starts[1] = keptIn(x, 0, first);
    op.lengths[1] = keptIn(x, first, first + op.lengths[1]);
  }
  void adapt(Pad& op, const Node& node) const {
    const ValueId y = node.outputs[0];
    if (!changes(y) || (op.before[1] == 0 && op.after[1] == 0)) return;
    const auto all = static_cast<std::int64_t>(groups_.of(y).size());
    const std::int64_t behind = all - op.after[1];
    op.before[1] = keptIn(y, 0, op.before[1]);
    op.after[1] = keptIn(y, behind, all);
  }
  void adapt(Reshape& op, const Node& node) const {
    if (changes(node.outputs[0])) {
      op.shape[1] = static_cast<std::int64_t>(kept(node.outputs[0]).size());
    }
  }
  void adapt(Resize& op, const Node& node) const {
    if (changes(node.outputs[0])) {
      op.sizes[1] = static_cast<std::int64_t>(kept(node.outputs[0]).size());
    }
  }

  const Graph& graph_;
  const ChannelGroups& groups_;
  const std::vector<bool>& removed_;
  GraphCopy copy_;
};

}  // namespace

Result<Graph> removeChannels(const Graph& graph, const ChannelGroups& groups,
                             const std::vector<bool>& removed) {
  return Remover(graph, groups, removed).run();
}

}  // namespace narrows
