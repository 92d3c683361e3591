#include "narrows/prune/channel_groups.h"

#include <algorithm>
#include <numeric>

namespace narrows {

/// Walks the graph once and joins channels as the operators do.
class GroupFinder {
 public:
  explicit GroupFinder(const Graph& graph) : graph_(graph), channels_(graph.valueCount()) {}

  ChannelGroups find() {
    for (const ValueId input : graph_.inputs()) {
      channels_[input.index()] = fresh(channelCount(input));
      hold(input);
    }
    for (const Node& node : graph_.nodes()) {
      std::visit([&](const auto& op) { visit(op, node); }, node.op);
    }
    for (const ValueId output : graph_.outputs()) hold(output);
    return result();
  }

 private:
  using Channels = std::vector<std::size_t>;

  std::size_t channelCount(ValueId id) const {
    const Shape& shape = graph_.shape(id);
    return shape.rank() < 2 ? 0 : static_cast<std::size_t>(shape[1]);
  }

  Channels fresh(std::size_t count) {
    Channels channels(count);
    std::iota(channels.begin(), channels.end(), parents_.size());
    for (std::size_t i = 0; i < count; ++i) {
      parents_.push_back(parents_.size());
      held_.push_back(false);
    }
    return channels;
  }

  std::size_t root(std::size_t channel) {
    while (parents_[channel] != channel) {
      parents_[channel] = parents_[parents_[channel]];
      channel = parents_[channel];
    }
    return channel;
  }

  void join(std::size_t a, std::size_t b) {
    a = root(a);
    b = root(b);
    parents_[b] = a;
    held_[a] = held_[a] || held_[b];
  }

  /// Channels of this value stay.
  void hold(ValueId id) {
    if (!id.valid()) return;
    for (const std::size_t channel : channels_[id.index()]) held_[root(channel)] = true;
  }

  /// The operator mixes or moves channels: those of its inputs stay, those of its outputs are not
  /// told apart.
  void holdAll(const Node& node) {
    for (const ValueId input : node.inputs) hold(input);
  }

  const Channels& of(ValueId id) const { return channels_[id.index()]; }
  void set(const Node& node, Channels channels) {
    channels_[node.outputs[0].index()] = std::move(channels);
  }
  void passOn(const Node& node) { set(node, of(node.inputs[0])); }
  bool constantAt(const Node& node, std::size_t input) const {
    return graph_.value(node.inputs[input]).isConstant();
  }

  // Most operators: nothing is known of where channels go.
  template <class Op>
  void visit(const Op&, const Node& node) {
    holdAll(node);
  }

  void visit(const Conv2d& op, const Node& node) {
    const Channels& in = of(node.inputs[0]);
    const auto out = static_cast<std::size_t>(graph_.shape(node.outputs[0])[1]);
    if (!constantAt(node, 1) || in.empty()) return holdAll(node);
    const auto groups = static_cast<std::size_t>(op.groups);
    if (groups == 1) return set(node, fresh(out));
    if (groups == in.size()) {
      // Each input channel has its own filters.
      Channels channels;
      for (std::size_t c = 0; c < out; ++c) channels.push_back(in[c / (out / groups)]);
      return set(node, std::move(channels));
    }
    holdAll(node);
    set(node, fresh(out));
    hold(node.outputs[0]);
  }
  void visit(const ConvTranspose2d& op, const Node& node) {
    if (op.groups != 1 || !constantAt(node, 1) || of(node.inputs[0]).empty()) return holdAll(node);
    set(node, fresh(channelCount(node.outputs[0])));
  }
  void visit(const Gemm& op, const Node& node) {
    const bool plain =
        !op.transpose_a && constantAt(node, 1) && (!node.input(2).valid() || constantAt(node, 2));
    if (!plain || of(node.inputs[0]).empty()) return holdAll(node);
    // A bias that is a full matrix or a single number has no feature axis of its own.
    if (node.input(2).valid()) {
      const Shape& bias = graph_.shape(node.inputs[2]);
      if (bias.elements() != graph_.shape(node.outputs[0])[1]) return holdAll(node);
    }
    set(node, fresh(channelCount(node.outputs[0])));
  }
  void visit(const MaxPool2d&, const Node& node) { passOn(node); }
  void visit(const AveragePool2d&, const Node& node) { passOn(node); }
  void visit(const GlobalPool&, const Node& node) { passOn(node); }
  void visit(const BatchNorm&, const Node& node) { passOn(node); }
  void visit(const Unary&, const Node& node) { passOn(node); }
  void visit(const LeakyRelu&, const Node& node) { passOn(node); }
  void visit(const Elu&, const Node& node) { passOn(node); }
  void visit(const Clip&, const Node& node) { passOn(node); }
  void visit(const HardSigmoid&, const Node& node) { passOn(node); }
  void visit(const Identity&, const Node& node) { passOn(node); }
  void visit(const PRelu&, const Node& node) {
    if (!constantAt(node, 1)) return holdAll(node);
    passOn(node);
  }
  void visit(const Resize& op, const Node& node) {
    const Shape& in = graph_.shape(node.inputs[0]);
    if (in.rank() < 2 || op.sizes[0] != in[0] || op.sizes[1] != in[1]) return holdAll(node);
    passOn(node);
  }
  void visit(const Reduce& op, const Node& node) {
    const bool spatial = !op.axes.empty() &&
                         std::all_of(op.axes.begin(), op.axes.end(), [](auto a) { return a >= 2; });
    if (!spatial) return holdAll(node);
    passOn(node);
  }

  void visit(const Binary&, const Node& node) {
    const std::size_t rank = graph_.shape(node.outputs[0]).rank();
    const std::size_t width = channelCount(node.outputs[0]);
    Channels joined;
    for (const ValueId input : node.inputs) {
      const Shape& shape = graph_.shape(input);
      const bool constant = graph_.value(input).isConstant();
      if (constant) continue;  // cut along its channel axis, if it has one
      if (shape.rank() != rank || of(input).empty()) return holdAll(node);
      if (of(input).size() != width) {
        hold(input);  // one channel for all
        continue;
      }
      if (joined.empty()) {
        joined = of(input);
      } else {
        for (std::size_t c = 0; c < width; ++c) join(joined[c], of(input)[c]);
      }
    }
    if (joined.empty()) return holdAll(node);
    set(node, std::move(joined));
  }

  void visit(const Concat& op, const Node& node) {
    for (const ValueId input : node.inputs) {
      if (of(input).empty()) return holdAll(node);
    }
    Channels channels = of(node.inputs[0]);
    for (std::size_t i = 1; i < node.inputs.size(); ++i) {
      const Channels& more = of(node.inputs[i]);
      if (op.axis == 1) {
        channels.insert(channels.end(), more.begin(), more.end());
      } else {
        for (std::size_t c = 0; c < channels.size(); ++c) join(channels[c], more[c]);
      }
    }
    set(node, std::move(channels));
  }

  void visit(const Split& op, const Node& node) {
    const Channels in = of(node.inputs[0]);
    if (in.empty()) return;
    auto next = in.begin();
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      Channels& out = channels_[node.outputs[i].index()];
      if (op.axis != 1) {
        out = in;
      } else {
        out.assign(next, next + op.sizes[i]);
        next += op.sizes[i];
      }
    }
  }

  void visit(const Slice& op, const Node& node) {
    const Channels& in = of(node.inputs[0]);
    if (in.empty()) return;
    Channels out;
    for (std::int64_t i = 0; i < op.lengths[1]; ++i) {
      out.push_back(in[static_cast<std::size_t>(op.starts[1] + i * op.steps[1])]);
    }
    set(node, std::move(out));
    // Every second channel of a map is no range of what is left of it.
    if (op.steps[1] != 1) hold(node.inputs[0]);
  }

  void visit(const Pad& op, const Node& node) {
    const Channels& in = of(node.inputs[0]);
    const bool padded = op.before.size() > 1 && (op.before[1] != 0 || op.after[1] != 0);
    if (!padded) return passOn(node);
    if (in.empty() || op.mode != PadMode::constant || op.before[1] < 0 || op.after[1] < 0) {
      return holdAll(node);
    }
    const Channels own = in;
    Channels out = fresh(static_cast<std::size_t>(op.before[1]));
    out.insert(out.end(), own.begin(), own.end());
    const Channels behind = fresh(static_cast<std::size_t>(op.after[1]));
    out.insert(out.end(), behind.begin(), behind.end());
    set(node, std::move(out));
  }

  void visit(const Reshape&, const Node& node) {
    const Channels in = of(node.inputs[0]);
    const Shape& from = graph_.shape(node.inputs[0]);
    const Shape& to = graph_.shape(node.outputs[0]);
    if (in.empty() || to.rank() < 2 || from[0] != to[0] || from.elements() == 0) {
      return holdAll(node);
    }
    if (from[1] == to[1]) return passOn(node);
    const std::int64_t features = from.elements() / from[0];
    if (to.rank() != 2 || to[1] != features) return holdAll(node);
    Channels out;
    for (std::int64_t i = 0; i < features; ++i) {
      out.push_back(in[static_cast<std::size_t>(i / (features / from[1]))]);
    }
    set(node, std::move(out));
  }

  ChannelGroups result() {
    ChannelGroups groups;
    std::vector<std::size_t> number(parents_.size(), ChannelGroups::kNone);
    groups.of_.resize(channels_.size());
    for (std::size_t v = 0; v < channels_.size(); ++v) {
      for (const std::size_t channel : channels_[v]) {
        std::size_t& group = number[root(channel)];
        if (group == ChannelGroups::kNone) {
          group = groups.removable_.size();
          groups.removable_.push_back(!held_[root(channel)]);
        }
        groups.of_[v].push_back(group);
      }
    }
    return groups;
  }

  const Graph& graph_;
  std::vector<Channels> channels_;  // by value
  std::vector<std::size_t> parents_;
  std::vector<bool> held_;
};

ChannelGroups ChannelGroups::find(const Graph& graph) {
  return GroupFinder(graph).find();
}

}  // namespace narrows
