#include <numeric>

#include "narrows/engine/engine.h"
#include "narrows/torch/convert.h"
#include "narrows/torch/operators.h"

// Operators that move, join, repeat and resample elements.
namespace narrows::torched {
namespace {

/// A static shape with the batch of this run in axis 0.
std::vector<std::int64_t> batchedShape(const Ints& shape, const NodeContext& context) {
  std::vector<std::int64_t> extents = shape;
  if (context.batched && !extents.empty()) extents[0] *= context.batch;
  return extents;
}

/// Source positions along one axis for padding with elements of the map itself.
std::vector<std::int64_t> mirrored(std::int64_t before, std::int64_t extent, std::int64_t after,
                                   PadMode mode) {
  std::vector<std::int64_t> indices;
  for (std::int64_t i = -before; i < extent + after; ++i) {
    std::int64_t at = i;
    if (mode == PadMode::edge) {
      at = std::clamp<std::int64_t>(i, 0, extent - 1);
    } else if (extent == 1) {
      at = 0;
    } else {
      const std::int64_t period = 2 * (extent - 1);
      at = ((i % period) + period) % period;
      if (at >= extent) at = period - at;
    }
    indices.push_back(at);
  }
  return indices;
}

/// Resampling of one axis as a matrix, out x in: what the reference engine makes of unit vectors.
Result<Tensor> axisMatrix(const Resize& op, std::size_t axis, std::int64_t extent) {
  Tensor unit(DType::f32, Shape{extent, extent});
  for (std::int64_t i = 0; i < extent; ++i) {
    unit.mutableAs<float>()[static_cast<std::size_t>(i * extent + i)] = 1;
  }
  Resize one = op;
  one.sizes = {op.sizes[axis], extent};
  one.scales = {op.scales[axis], 1.0};
  Graph graph;
  const ValueId x = graph.addInput("x", unit.type());
  NARROWS_TRY(y, graph.add(one, {x}));
  NARROWS_CHECK(graph.setOutputs({y}));
  NARROWS_TRY(engine, makeEngine("reference"));
  NARROWS_TRY(program, engine->compile(graph, {}));
  const std::vector<TensorView> inputs = {unit};
  NARROWS_TRY(outputs, runProgram(*program, inputs));
  return std::move(outputs[0]);
}

/// The element that each row of a matrix picks; nothing when a row mixes elements.
std::optional<std::vector<std::int64_t>> pickedBy(const Tensor& matrix) {
  const auto columns = static_cast<std::size_t>(matrix.shape()[1]);
  const auto values = matrix.as<float>();
  std::vector<std::int64_t> picks;
  for (std::size_t row = 0; row * columns < values.size(); ++row) {
    const auto line = values.subspan(row * columns, columns);
    const auto one = std::find(line.begin(), line.end(), 1.0F);
    if (one == line.end()) return std::nullopt;
    picks.push_back(one - line.begin());
  }
  return picks;
}

/// Whether the picks repeat each element `factor` times.
bool repeats(const std::vector<std::int64_t>& picks, std::int64_t factor) {
  for (std::size_t i = 0; i < picks.size(); ++i) {
    if (picks[i] != static_cast<std::int64_t>(i) / factor) return false;
  }
  return true;
}

}  // namespace

at::Tensor apply(const Concat& op, const NodeContext& context, const Tensors& in) {
  std::int64_t batch = 0;
  for (const at::Tensor& x : in) batch = std::max(batch, x.size(0));
  Tensors parts = in;
  for (at::Tensor& part : parts) {
    // A constant among maps of a batch.
    if (!context.batched || op.axis == 0 || part.size(0) == batch) continue;
    std::vector<std::int64_t> extents = part.sizes().vec();
    extents[0] = batch;
    part = part.expand(extents);
  }
  return at::cat(parts, op.axis);
}

Tensors apply(const Split& op, const NodeContext&, const Tensors& in) {
  Tensors parts;
  std::int64_t start = 0;
  for (const std::int64_t size : op.sizes) {
    parts.push_back(in[0].narrow(op.axis, start, size));
    start += size;
  }
  return parts;
}

at::Tensor apply(const Slice& op, const NodeContext& context, const Tensors& in) {
  at::Tensor x = in[0];
  const Shape& shape = context.inputShape(0);
  for (std::size_t axis = 0; axis < op.starts.size(); ++axis) {
    const std::int64_t start = op.starts[axis];
    const std::int64_t length = op.lengths[axis];
    const std::int64_t step = op.steps[axis];
    const auto a = static_cast<std::int64_t>(axis);
    if (start == 0 && length == shape[axis] && step == 1) continue;
    if (step > 0) {
      x = x.slice(a, start, length == 0 ? start : start + (length - 1) * step + 1, step);
      continue;
    }
    std::vector<std::int64_t> indices;
    for (std::int64_t i = 0; i < length; ++i) indices.push_back(start + i * step);
    x = x.index_select(a, indicesInto(x, indices));
  }
  return x;
}

at::Tensor apply(const Gather& op, const NodeContext&, const Tensors& in) {
  const std::int64_t extent = in[0].size(op.axis);
  const at::Tensor flat = in[1].to(at::kLong).reshape({-1});
  const at::Tensor wrapped = at::where(flat < 0, flat + extent, flat);
  std::vector<std::int64_t> extents = in[0].sizes().vec();
  extents.erase(extents.begin() + op.axis);
  const std::vector<std::int64_t> of_indices = in[1].sizes().vec();
  extents.insert(extents.begin() + op.axis, of_indices.begin(), of_indices.end());
  return in[0].index_select(op.axis, wrapped).reshape(extents);
}

at::Tensor apply(const Pad& op, const NodeContext& context, const Tensors& in) {
  if (op.mode == PadMode::constant) {
    std::vector<std::int64_t> pads;
    for (std::size_t axis = op.before.size(); axis-- > 0;) {
      pads.push_back(op.before[axis]);
      pads.push_back(op.after[axis]);
    }
    return at::constant_pad_nd(in[0], pads, op.value);
  }
  at::Tensor x = in[0];
  for (std::size_t axis = 0; axis < op.before.size(); ++axis) {
    if (op.before[axis] == 0 && op.after[axis] == 0) continue;
    x = x.index_select(static_cast<std::int64_t>(axis),
                       indicesInto(x, mirrored(op.before[axis], context.inputShape(0)[axis],
                                               op.after[axis], op.mode)));
  }
  return x;
}

at::Tensor apply(const Resize& op, const NodeContext& context, const Tensors& in) {
  at::Tensor x = in[0];
  const Shape& shape = context.inputShape(0);
  for (std::size_t axis = 0; axis < op.sizes.size(); ++axis) {
    if (op.sizes[axis] == shape[axis] && op.scales[axis] == 1) continue;
    auto matrix = axisMatrix(op, axis, shape[axis]);
    if (!matrix.ok()) throw std::runtime_error(matrix.error().message);
    const auto a = static_cast<std::int64_t>(axis);
    if (op.mode == ResizeMode::nearest) {
      const auto picks = pickedBy(*matrix);
      NARROWS_ASSERT(picks.has_value());
      const std::int64_t factor = op.sizes[axis] / shape[axis];
      if (factor * shape[axis] == op.sizes[axis] && repeats(*picks, factor)) {
        // The gradient of a broadcast is a plain sum, that of an index a slow scatter.
        std::vector<std::int64_t> wide = x.sizes().vec();
        wide.insert(wide.begin() + a + 1, factor);
        std::vector<std::int64_t> extents = x.sizes().vec();
        extents[axis] *= factor;
        x = x.unsqueeze(a + 1).expand(wide).reshape(extents);
      } else {
        x = x.index_select(a, indicesInto(x, *picks));
      }
      continue;
    }
    auto weights = toAten(*matrix, x.options());
    if (!weights.ok()) throw std::runtime_error(weights.error().message);
    x = at::matmul(x.transpose(a, -1), weights->t()).transpose(a, -1);
  }
  return x;
}

at::Tensor apply(const Transpose& op, const NodeContext&, const Tensors& in) {
  return in[0].permute(op.permutation);
}

at::Tensor apply(const Reshape& op, const NodeContext& context, const Tensors& in) {
  return in[0].reshape(batchedShape(op.shape, context));
}

at::Tensor apply(const Expand&, const NodeContext& context, const Tensors& in) {
  // The inferred shape: that of the operator may leave extents to the input.
  const Ints shape(context.outputShape().extents().begin(), context.outputShape().extents().end());
  return in[0].expand(batchedShape(shape, context));
}

at::Tensor apply(const Tile& op, const NodeContext&, const Tensors& in) {
  return in[0].repeat(op.repeats);
}

at::Tensor apply(const Cast& op, const NodeContext& context, const Tensors& in) {
  switch (op.to) {
    case DType::f32:
    case DType::f64:
      // Arithmetic stays in the precision of the run.
      return in[0].to(context.real);
    case DType::i8:
      return in[0].to(at::kChar);
    case DType::u8:
      return in[0].to(at::kByte);
    case DType::i16:
      return in[0].to(at::kShort);
    case DType::i32:
      return in[0].to(at::kInt);
    case DType::i64:
      return in[0].to(at::kLong);
    case DType::boolean:
      return in[0] != 0;
    default:
      throw std::runtime_error(
          fmt::format("cast to {}, which libtorch does not have", toString(op.to)));
  }
}

at::Tensor apply(const Identity&, const NodeContext&, const Tensors& in) {
  return in[0];
}

at::Tensor apply(const DepthToSpace& op, const NodeContext& context, const Tensors& in) {
  const Shape& shape = context.inputShape(0);
  const std::int64_t b = op.block;
  const std::int64_t c = shape[1] / (b * b);
  const std::int64_t n = in[0].size(0);
  const at::Tensor split =
      op.order == BlockOrder::depth_column_row
          ? in[0].reshape({n, b, b, c, shape[2], shape[3]}).permute({0, 3, 4, 1, 5, 2})
          : in[0].reshape({n, c, b, b, shape[2], shape[3]}).permute({0, 1, 4, 2, 5, 3});
  return split.reshape({n, c, shape[2] * b, shape[3] * b});
}

at::Tensor apply(const SpaceToDepth& op, const NodeContext& context, const Tensors& in) {
  const Shape& shape = context.inputShape(0);
  const std::int64_t b = op.block;
  const std::int64_t n = in[0].size(0);
  return in[0]
      .reshape({n, shape[1], shape[2] / b, b, shape[3] / b, b})
      .permute({0, 3, 5, 1, 2, 4})
      .reshape({n, shape[1] * b * b, shape[2] / b, shape[3] / b});
}

}  // namespace narrows::torched
