#include <array>

#include "narrows/engine/executor/lowering.h"

namespace narrows::executor {
namespace {

Slice wholeSlice(const Shape& shape) {
  return {Ints(shape.rank(), 0), Ints(shape.extents().begin(), shape.extents().end()),
          Ints(shape.rank(), 1)};
}

}  // namespace

/// Nodes that only rearrange elements: their results are other layouts of the same buffer.
bool Lowering::lowerView(const Node& node) {
  const auto view = [&](ValueId output, Layout layout) {
    Operand operand = operandOf(node.inputs[0]);
    operand.layout = layout;
    define(output, operand);
    return true;
  };
  if (const auto* transpose = std::get_if<Transpose>(&node.op)) {
    return view(node.outputs[0],
                permuted(operandOf(node.inputs[0]).layout, transpose->permutation));
  }
  if (const auto* slice = std::get_if<Slice>(&node.op))
    return view(node.outputs[0], sliced(operandOf(node.inputs[0]).layout, *slice));
  if (std::holds_alternative<Expand>(node.op)) {
    return view(node.outputs[0],
                broadcastTo(operandOf(node.inputs[0]).layout, graph_.shape(node.outputs[0])));
  }
  if (std::holds_alternative<Identity>(node.op))
    return view(node.outputs[0], operandOf(node.inputs[0]).layout);
  if (const auto* cast = std::get_if<Cast>(&node.op);
      cast != nullptr && cast->to == graph_.type(node.inputs[0]).dtype) {
    return view(node.outputs[0], operandOf(node.inputs[0]).layout);
  }
  if (const auto* split = std::get_if<Split>(&node.op)) {
    Slice slice = wholeSlice(graph_.shape(node.inputs[0]));
    const auto axis = static_cast<std::size_t>(split->axis);
    for (ValueId output : node.outputs) {
      slice.lengths[axis] = graph_.shape(output)[axis];
      view(output, sliced(operandOf(node.inputs[0]).layout, slice));
      slice.starts[axis] += slice.lengths[axis];
    }
    return true;
  }
  if (const auto* gather = std::get_if<Gather>(&node.op)) return lowerGatherView(node, *gather);
  if (std::holds_alternative<Reshape>(node.op)) {
    lowerReshape(node);
    return true;
  }
  return false;
}

/// A gather of evenly spaced constant indices is a slice.
bool Lowering::lowerGatherView(const Node& node, const Gather& op) {
  const Value& indices = graph_.value(node.inputs[1]);
  const Shape& shape = graph_.shape(node.inputs[0]);
  if (!indices.isConstant() || indices.type.shape.rank() > 1 || indices.type.elements() == 0 ||
      shape.elements() == 0) {
    return false;
  }
  const auto axis = static_cast<std::size_t>(op.axis);
  std::vector<std::int64_t> picks;
  if (indices.type.dtype == DType::i64) {
    const auto values = indices.constant->as<std::int64_t>();
    picks.assign(values.begin(), values.end());
  } else if (indices.type.dtype == DType::i32) {
    const auto values = indices.constant->as<std::int32_t>();
    picks.assign(values.begin(), values.end());
  } else {
    return false;
  }
  for (std::int64_t& pick : picks) {
    if (pick < 0) pick += shape[axis];
    if (pick < 0 || pick >= shape[axis]) return false;
  }
  const std::int64_t step = picks.size() > 1 ? picks[1] - picks[0] : 1;
  if (step == 0) return false;
  for (std::size_t i = 1; i < picks.size(); ++i) {
    if (picks[i] - picks[i - 1] != step) return false;
  }
  Slice slice = wholeSlice(shape);
  slice.starts[axis] = picks[0];
  slice.lengths[axis] = static_cast<std::int64_t>(picks.size());
  slice.steps[axis] = step;
  Operand operand = operandOf(node.inputs[0]);
  const auto layout = reshaped(sliced(operand.layout, slice), graph_.shape(node.outputs[0]));
  if (!layout) return false;
  operand.layout = *layout;
  define(node.outputs[0], operand);
  return true;
}

void Lowering::lowerReshape(const Node& node) {
  Operand operand = operandOf(node.inputs[0]);
  const Shape& shape = graph_.shape(node.outputs[0]);
  if (const auto layout = reshaped(operand.layout, shape)) {
    operand.layout = *layout;
    define(node.outputs[0], operand);
    return;
  }
  // Copied in the order in which the elements are counted, straight to the place of the result if
  // that is in this order too.
  const auto& place = places_[node.outputs[0].index()];
  if (place && isRowMajor(place->layout)) {
    Operand source_order = *place;
    source_order.layout = rowMajor(operand.shape());
    source_order.layout.offset = place->layout.offset;
    copy(operand, source_order);
    define(node.outputs[0], *place);
    return;
  }
  Operand dense = inForm(node.inputs[0], Form::row_major);
  dense.layout = *reshaped(dense.layout, shape);
  define(node.outputs[0], dense);
}

}  // namespace narrows::executor
