#include "narrows/graph/node_need.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "narrows/graph/window_need.h"

namespace narrows {
namespace {

using Interval = Region::Interval;

Interval whole(const Shape& shape, std::size_t axis) {
  return {0, shape[axis]};
}

/// The box of an operand of shape `operand` that broadcasts to a result of which `box` is wanted.
Region broadcastBox(const Region& box, const Shape& operand) {
  Region result = Region::whole(operand);
  const std::size_t lead = box.rank() - operand.rank();
  for (std::size_t axis = 0; axis < operand.rank(); ++axis) {
    if (operand[axis] != 1) result = result.with(axis, box[lead + axis]);
  }
  return result;
}

/// The blocks of `size` that [begin, end) touches.
Interval blocksOf(Interval interval, std::int64_t size) {
  return {interval.begin / size, (interval.end + size - 1) / size};
}
Interval scaled(Interval interval, std::int64_t factor) {
  return {interval.begin * factor, interval.end * factor};
}

class Needs {
 public:
  Needs(const Graph& graph, const Node& node, std::size_t output, const Region& box)
      : graph_(graph), node_(node), output_(output), shape_(graph.shape(node.outputs[output])) {
    need_.produced = box;
    need_.op = node.op;
    need_.inputs.resize(node.inputs.size());
  }

  Result<NodeNeed> run() {
    std::visit([&](const auto& op) { of(op); }, node_.op);
    return std::move(need_);
  }

 private:
  const Shape& inputShape(std::size_t index) const { return graph_.shape(node_.inputs[index]); }
  bool has(std::size_t index) const { return node_.input(index).valid(); }
  Region& produced() { return need_.produced; }

  /// The operator needs all along this axis of its output, and of input 0 likewise.
  void widen(std::size_t axis) { produced() = produced().with(axis, whole(shape_, axis)); }
  void widenAll() { produced() = Region::whole(shape_); }
  void read(std::size_t index, const Region& box) {
    if (has(index)) need_.inputs[index] = box;
  }
  void readWhole(std::size_t index) {
    if (has(index)) need_.inputs[index] = Region::whole(inputShape(index));
  }
  void readAxis0(std::size_t index, Interval interval) {
    if (has(index)) need_.inputs[index] = Region::whole(inputShape(index)).with(0, interval);
  }

  void elementwise() { read(0, produced()); }
  void everything() {
    widenAll();
    for (std::size_t i = 0; i < node_.inputs.size(); ++i) readWhole(i);
  }
  void broadcasting() {
    for (std::size_t i = 0; i < node_.inputs.size(); ++i) {
      if (has(i)) read(i, broadcastBox(produced(), inputShape(i)));
    }
  }

  void of(const Unary&) { elementwise(); }
  void of(const LeakyRelu&) { elementwise(); }
  void of(const Elu&) { elementwise(); }
  void of(const Clip&) { elementwise(); }
  void of(const HardSigmoid&) { elementwise(); }
  void of(const Cast&) { elementwise(); }
  void of(const Identity&) { elementwise(); }
  void of(const PRelu&) { broadcasting(); }
  void of(const Binary&) { broadcasting(); }
  void of(const Where&) { broadcasting(); }
  void of(const BatchNorm&) {
    elementwise();
    for (std::size_t i = 1; i < node_.inputs.size(); ++i) readAxis0(i, produced()[1]);
  }
  void of(const LocalResponseNorm&) {
    widen(1);
    elementwise();
  }
  void of(const Softmax& op) {
    widen(static_cast<std::size_t>(op.axis));
    elementwise();
  }

  /// Sets both axes of the window and reads the maps [channels) of input 0.
  Padding2d window(const Window2d& w, Interval channels, bool overhang) {
    const Shape& x = inputShape(0);
    const WindowNeed rows =
        windowNeed(WindowAxis::vertical(w, x[2], shape_[2]), produced()[2], overhang);
    const WindowNeed columns =
        windowNeed(WindowAxis::horizontal(w, x[3], shape_[3]), produced()[3], overhang);
    const Region box = produced();
    produced() = box.with(2, rows.produced).with(3, columns.produced);
    read(0, box.with(1, channels).with(2, rows.input).with(3, columns.input));
    return {rows.pad_begin, columns.pad_begin, rows.pad_end, columns.pad_end};
  }

  /// Widens the output channels to what `groups_used` groups make; gives the first group and sets
  /// their number.
  std::int64_t chooseGroups(std::int64_t groups, std::int64_t out_channels,
                            std::int64_t& groups_used) {
    const std::int64_t per_group = out_channels / groups;
    const Interval touched = blocksOf(produced()[1], per_group);
    groups_used = touched.length();
    if (groups_used > 1) produced() = produced().with(1, scaled(touched, per_group));
    return touched.begin;
  }

  void of(const Conv2d& op) {
    Conv2d part = op;
    const std::int64_t first = chooseGroups(op.groups, shape_[1], part.groups);
    const std::int64_t per_group = inputShape(0)[1] / op.groups;
    const Interval channels = scaled({first, first + part.groups}, per_group);
    part.window.pads = window(op.window, channels, true);
    readAxis0(1, produced()[1]);
    readAxis0(2, produced()[1]);
    need_.op = part;
  }
  void of(const ConvTranspose2d& op) {
    ConvTranspose2d part = op;
    const Shape& x = inputShape(0);
    const std::int64_t first = chooseGroups(op.groups, shape_[1], part.groups);
    const std::int64_t out_group = shape_[1] / op.groups;
    const Interval channels = scaled({first, first + part.groups}, x[1] / op.groups);
    const WindowNeed rows =
        transposedNeed(WindowAxis::vertical(op.window, x[2], shape_[2]), produced()[2]);
    const WindowNeed columns =
        transposedNeed(WindowAxis::horizontal(op.window, x[3], shape_[3]), produced()[3]);
    produced() = produced().with(2, rows.produced).with(3, columns.produced);
    read(0, produced().with(1, channels).with(2, rows.input).with(3, columns.input));
    part.window.pads = {rows.pad_begin, columns.pad_begin, rows.pad_end, columns.pad_end};
    part.output_padding = {rows.output_padding, columns.output_padding};
    // Filters of one group lie along axis 1 of the weight, groups along axis 0 with the channels.
    const Interval filters = part.groups > 1 ? Interval{0, out_group}
                                             : Interval{produced()[1].begin - first * out_group,
                                                        produced()[1].end - first * out_group};
    read(1, Region::whole(inputShape(1)).with(0, channels).with(1, filters));
    readAxis0(2, produced()[1]);
    need_.op = part;
  }
  void of(const MaxPool2d& op) {
    MaxPool2d part = op;
    part.window.pads = window(op.window, produced()[1], true);
    part.ceil = false;
    need_.op = part;
  }
  void of(const AveragePool2d& op) {
    AveragePool2d part = op;
    // Where padding counts for nothing, the room beyond it may be padding as well.
    part.window.pads = window(op.window, produced()[1], !op.count_pads);
    part.ceil = op.count_pads;
    need_.op = part;
  }

  /// Input axes that the operator folds are whole, the others as asked; with `kept` folded axes
  /// stay in the output.
  void folding(std::span<const std::int64_t> axes, bool kept) {
    const Shape& x = inputShape(0);
    Region box = Region::whole(x);
    std::size_t out = 0;
    for (std::size_t axis = 0; axis < x.rank(); ++axis) {
      const bool folded =
          std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(axis)) != axes.end();
      if (!folded) box = box.with(axis, produced()[out]);
      if (!folded || kept) ++out;
    }
    read(0, box);
  }
  void of(const GlobalPool&) {
    Ints axes;
    for (std::size_t axis = 2; axis < inputShape(0).rank(); ++axis) {
      axes.push_back(static_cast<std::int64_t>(axis));
    }
    folding(axes, true);
  }
  void of(const Reduce& op) { folding(op.axes, op.keep); }
  void of(const ArgReduce& op) { folding(std::array{op.axis}, op.keep); }

  void of(const Gemm& op) {
    const auto operand = [&](std::size_t index, std::size_t axis, Interval interval) {
      read(index, Region::whole(inputShape(index)).with(axis, interval));
    };
    operand(0, op.transpose_a ? 1 : 0, produced()[0]);
    operand(1, op.transpose_b ? 0 : 1, produced()[1]);
    if (has(2)) read(2, broadcastBox(produced(), inputShape(2)));
  }
  void of(const MatMul&) {
    const Shape& a = inputShape(0);
    const Shape& b = inputShape(1);
    const std::size_t rank = produced().rank();
    if (a.rank() < 2 || b.rank() < 2) return everything();
    const auto operand = [&](const Shape& shape, std::size_t own_axis) {
      // As broadcasting does, but for the axis that is summed over.
      Region box = Region::whole(shape);
      const std::size_t lead = rank - shape.rank();
      for (std::size_t axis = 0; axis + 2 < shape.rank(); ++axis) {
        if (shape[axis] != 1) box = box.with(axis, produced()[lead + axis]);
      }
      return box.with(own_axis, produced()[lead + own_axis]);
    };
    read(0, operand(a, a.rank() - 2));
    read(1, operand(b, b.rank() - 1));
  }

  void of(const Concat& op) {
    const auto axis = static_cast<std::size_t>(op.axis);
    const Interval asked = produced()[axis];
    std::int64_t offset = 0;
    std::size_t read_inputs = 0;
    for (std::size_t i = 0; i < node_.inputs.size(); ++i) {
      const std::int64_t extent = inputShape(i)[axis];
      const std::int64_t begin = std::max<std::int64_t>(asked.begin - offset, 0);
      const std::int64_t end = std::min(asked.end - offset, extent);
      offset += extent;
      if (begin >= end) continue;
      read(i, produced().with(axis, {begin, end}));
      ++read_inputs;
    }
    if (read_inputs == 1) need_.op = Identity{};
  }
  void of(const Split& op) {
    const auto axis = static_cast<std::size_t>(op.axis);
    const std::int64_t offset = std::accumulate(
        op.sizes.begin(), op.sizes.begin() + static_cast<std::ptrdiff_t>(output_), std::int64_t{0});
    const Interval asked = produced()[axis];
    read(0, produced().with(axis, {asked.begin + offset, asked.end + offset}));
    need_.op = Identity{};
  }
  void of(const Slice& op) {
    Slice part;
    Region box = produced();
    bool moves_only = true;
    for (std::size_t axis = 0; axis < box.rank(); ++axis) {
      const Interval asked = produced()[axis];
      const std::int64_t step = op.steps[axis];
      const std::int64_t first = op.starts[axis] + step * asked.begin;
      const std::int64_t last = op.starts[axis] + step * (asked.end - 1);
      box = box.with(axis, {std::min(first, last), std::max(first, last) + 1});
      part.starts.push_back(step > 0 ? 0 : first - last);
      part.lengths.push_back(asked.length());
      part.steps.push_back(step);
      moves_only = moves_only && step == 1;
    }
    read(0, box);
    if (moves_only) {
      need_.op = Identity{};
    } else {
      need_.op = part;
    }
  }
  void of(const Gather& op) {
    const auto axis = static_cast<std::size_t>(op.axis);
    const std::size_t indices = inputShape(1).rank();
    Region data = Region::whole(inputShape(0));
    Region index = Region::whole(inputShape(1));
    for (std::size_t out = 0; out < produced().rank(); ++out) {
      if (out < axis) data = data.with(out, produced()[out]);
      if (out >= axis && out < axis + indices) index = index.with(out - axis, produced()[out]);
      if (out >= axis + indices) data = data.with(out - indices + 1, produced()[out]);
    }
    read(0, data);
    read(1, index);
  }
  // What they read only the data tell.
  void of(const GatherElements&) { everything(); }
  void of(const GatherNd&) { everything(); }
  void of(const ScatterElements&) { everything(); }
  void of(const ScatterNd&) { everything(); }
  void of(const TopK&) { everything(); }
  void of(const NonMaxSuppression&) { everything(); }

  void of(const Pad& op) {
    Pad part = op;
    const Shape& x = inputShape(0);
    Region box = produced();
    for (std::size_t axis = 0; axis < x.rank(); ++axis) {
      const std::int64_t before = op.before[axis];
      const std::int64_t extent = x[axis];
      Interval asked = produced()[axis];
      const bool reaches_out = asked.begin < before || asked.end > before + extent;
      if (op.mode == PadMode::reflect && reaches_out) asked = whole(shape_, axis);
      // At least one element of the input, where there is one in the output.
      asked.begin = std::min(asked.begin, std::max<std::int64_t>(0, before + extent - 1));
      asked.end = std::max(asked.end, std::min(shape_[axis], before + 1));
      const std::int64_t begin = std::clamp<std::int64_t>(asked.begin - before, 0, extent);
      const std::int64_t end = std::clamp<std::int64_t>(asked.end - before, begin, extent);
      produced() = produced().with(axis, asked);
      box = box.with(axis, {begin, end});
      part.before[axis] = begin - (asked.begin - before);
      part.after[axis] = (asked.end - before) - end;
    }
    read(0, box);
    need_.op = part;
  }

  /// The factor by which each output position along `axis` repeats an input one; 0 when they do not
  /// correspond so.
  std::int64_t repeats(const Resize& op, std::size_t axis) const {
    const std::int64_t from = inputShape(0)[axis];
    const std::int64_t to = op.sizes[axis];
    if (from == to && op.scales[axis] == 1) return 1;
    if (op.mode != ResizeMode::nearest || from == 0 || to % from != 0) return 0;
    const std::int64_t factor = to / from;
    if (std::abs(op.scales[axis] * static_cast<double>(from) - static_cast<double>(to)) >
        1e-6 * static_cast<double>(to)) {
      return 0;
    }
    const bool centred = op.coordinates == ResizeCoordinates::half_pixel ||
                         op.coordinates == ResizeCoordinates::pytorch_half_pixel;
    const bool rounds = op.rounding == ResizeRounding::round_prefer_floor ||
                        op.rounding == ResizeRounding::round_prefer_ceil;
    const bool floors =
        op.coordinates == ResizeCoordinates::asymmetric && op.rounding == ResizeRounding::floor;
    return factor > 1 && ((centred && rounds) || floors) ? factor : 0;
  }
  void of(const Resize& op) {
    Resize part = op;
    const Shape& x = inputShape(0);
    Region box = produced();
    for (std::size_t axis = 0; axis < x.rank(); ++axis) {
      const std::int64_t factor = repeats(op, axis);
      const Interval from = factor == 0 ? whole(x, axis) : blocksOf(produced()[axis], factor);
      const Interval to = factor == 0 ? whole(shape_, axis) : scaled(from, factor);
      box = box.with(axis, from);
      produced() = produced().with(axis, to);
      part.sizes[axis] = to.length();
    }
    // A bare single-precision factor over few rows must still give whole sizes.
    for (std::size_t axis = 0; axis < x.rank(); ++axis) {
      const std::int64_t factor = repeats(op, axis);
      if (factor != 0) part.scales[axis] = static_cast<double>(factor);
    }
    for (std::size_t i = 1; i < node_.inputs.size(); ++i) readWhole(i);
    read(0, box);
    need_.op = part;
  }
  void of(const Transpose& op) {
    Region box = Region::whole(inputShape(0));
    for (std::size_t axis = 0; axis < box.rank(); ++axis) {
      box = box.with(static_cast<std::size_t>(op.permutation[axis]), produced()[axis]);
    }
    read(0, box);
  }

  void of(const Reshape&) {
    const Shape& from = inputShape(0);
    if (from.elements() == 0) return everything();
    // Axes that both shapes begin or end with stay themselves; those between are regrouped.
    std::size_t lead = 0;
    while (lead < from.rank() && lead < shape_.rank() && from[lead] == shape_[lead]) ++lead;
    std::size_t tail = 0;
    while (tail + lead < from.rank() && tail + lead < shape_.rank() &&
           from[from.rank() - 1 - tail] == shape_[shape_.rank() - 1 - tail]) {
      ++tail;
    }
    Region box = Region::whole(from);
    for (std::size_t axis = 0; axis < lead; ++axis) box = box.with(axis, produced()[axis]);
    for (std::size_t axis = 1; axis <= tail; ++axis) {
      box = box.with(from.rank() - axis, produced()[shape_.rank() - axis]);
    }
    regroup(from, lead, tail, box);
    read(0, box);
    Reshape part;
    for (const Interval& interval : produced().intervals()) {
      part.shape.push_back(interval.length());
    }
    need_.op = part;
  }
  /// Axes [lead, rank - tail) of both shapes hold the same elements in the same order. The
  /// outermost axis longer than 1 of each may stay a part when both parts begin and end at the same
  /// elements.
  void regroup(const Shape& from, std::size_t lead, std::size_t tail, Region& box) {
    const auto outermost = [&](const Shape& shape) {
      std::size_t axis = lead;
      while (axis + tail + 1 < shape.rank() && shape[axis] == 1) ++axis;
      return axis;
    };
    const auto stepOf = [&](const Shape& shape, std::size_t axis) {
      std::int64_t step = 1;
      for (std::size_t inner = axis + 1; inner + tail < shape.rank(); ++inner) step *= shape[inner];
      return step;
    };
    const std::size_t middle_in = from.rank() - lead - tail;
    const std::size_t middle_out = shape_.rank() - lead - tail;
    const Region asked = produced();
    for (std::size_t axis = lead; axis < lead + middle_out; ++axis) widen(axis);
    if (middle_in == 0 || middle_out == 0) return;
    const std::size_t in = outermost(from);
    const std::size_t out = outermost(shape_);
    const std::int64_t step_in = stepOf(from, in);
    const std::int64_t step_out = stepOf(shape_, out);
    const std::int64_t unit = std::lcm(step_in, step_out);
    Interval elements = scaled(asked[out], step_out);
    elements = scaled(blocksOf(elements, unit), unit);
    elements.end = std::min(elements.end, step_out * shape_[out]);
    produced() = produced().with(out, {elements.begin / step_out, elements.end / step_out});
    box = box.with(in, {elements.begin / step_in, elements.end / step_in});
  }

  void of(const Expand&) {
    Expand part;
    for (const Interval& interval : produced().intervals()) {
      part.shape.push_back(interval.length());
    }
    read(0, broadcastBox(produced(), inputShape(0)));
    need_.op = part;
  }
  void of(const Tile& op) {
    Region box = Region::whole(inputShape(0));
    for (std::size_t axis = 0; axis < box.rank(); ++axis) {
      if (op.repeats[axis] == 1) {
        box = box.with(axis, produced()[axis]);
      } else {
        widen(axis);
      }
    }
    read(0, box);
  }
  void of(const DepthToSpace& op) {
    widen(1);
    Region box = Region::whole(inputShape(0)).with(0, produced()[0]);
    for (std::size_t axis = 2; axis < 4; ++axis) {
      const Interval blocks = blocksOf(produced()[axis], op.block);
      produced() = produced().with(axis, scaled(blocks, op.block));
      box = box.with(axis, blocks);
    }
    read(0, box);
  }
  void of(const SpaceToDepth& op) {
    widen(1);
    Region box = Region::whole(inputShape(0)).with(0, produced()[0]);
    for (std::size_t axis = 2; axis < 4; ++axis) {
      box = box.with(axis, scaled(produced()[axis], op.block));
    }
    read(0, box);
  }

  const Graph& graph_;
  const Node& node_;
  std::size_t output_;
  const Shape& shape_;
  NodeNeed need_;
};

}  // namespace

Result<NodeNeed> needFor(const Graph& graph, NodeId node, std::size_t output, const Region& box) {
  const Node& found = graph.node(node);
  NARROWS_ASSERT(output < found.outputs.size());
  const Value& value = graph.value(found.outputs[output]);
  if (!box.fits(value.type.shape) || box.empty()) {
    return makeError("box {} of \"{}\" {}: expected a box of it that is not empty", toString(box),
                     value.name, toString(value.type.shape));
  }
  return Needs(graph, found, output, box).run();
}

}  // namespace narrows
