#include "narrows/formats/onnx_names.h"
#include "narrows/formats/onnx_operators.h"
#include "narrows/formats/onnx_tensor.h"
#include "narrows/formats/onnx_weights.h"
#include "narrows/formats/onnx_window.h"

// Quantization in operators of the graph. Integers are computed in f32 where a product of them is
// summed, which is exact up to 2^24: 518 products of u8 and i8 at their extremes, many more of real
// ones.
namespace narrows {
namespace {

Ints extentsOf(const Shape& shape) {
  return Ints(shape.extents().begin(), shape.extents().end());
}

/// Where scales and zero points of a tensor of `shape` lie.
struct Placement {
  Shape shape;
  std::int64_t axis = 0;
  std::int64_t block = 0;
};

Result<Placement> readPlacement(NodeImport& node, OperandId x) {
  NARROWS_TRY(axis, node.attributes.integer("axis", 1));
  NARROWS_TRY(block, node.attributes.integer("block_size", 0));
  return Placement{node.shape(x), axis, block};
}

/// Scales or zero points in a form that broadcasts over the tensor, as `dtype`.
Result<OperandId> spread(NodeImport& node, OperandId parameter, const Placement& at, DType dtype) {
  OperandId result = parameter;
  if (node.type(parameter).dtype != dtype) {
    NARROWS_TRY(cast, node.add(Cast{dtype}, {parameter}));
    result = cast;
  }
  const Shape shape = node.shape(parameter);
  if (shape.elements() == 1 && at.block == 0) return node.add(Reshape{{}}, {result});
  NARROWS_TRY(axis, normalizeAxis(at.axis, at.shape.rank()));
  if (at.block == 0) {
    if (shape.rank() != 1) return makeError("a parameter is {}", toString(shape));
    Ints wide(at.shape.rank(), 1);
    wide[axis] = shape[0];
    return node.add(Reshape{wide}, {result});
  }
  if (shape.rank() != at.shape.rank() || at.block < 1 ||
      shape[axis] > Shape::kMaxElements / at.block || shape[axis] * at.block != at.shape[axis]) {
    return makeError("blocks of {} with parameters {} for {}", at.block, toString(shape),
                     toString(at.shape));
  }
  Ints single = extentsOf(shape);
  single.insert(single.begin() + static_cast<std::ptrdiff_t>(axis) + 1, 1);
  Ints repeated = single;
  repeated[axis + 1] = at.block;
  NARROWS_TRY(apart, node.add(Reshape{single}, {result}));
  NARROWS_TRY(blocks, node.add(Expand{repeated}, {apart}));
  return node.add(Reshape{extentsOf(at.shape)}, {blocks});
}

/// x - zero point, as f32; input `zero` of the node may be absent.
Result<OperandId> centred(NodeImport& node, OperandId x, std::size_t zero, const Placement& at) {
  NARROWS_TRY(values, node.add(Cast{DType::f32}, {x}));
  if (!node.hasInput(zero)) return values;
  NARROWS_TRY(id, node.input(zero));
  NARROWS_TRY(wide, spread(node, id, at, DType::f32));
  return node.add(Binary{BinaryKind::sub}, {values, wide});
}

/// round(x) + zero, clamped to `dtype`, as the node's output: ties to even, as ONNX asks.
Status finishRounded(NodeImport& node, OperandId x, OperandId zero, DType dtype) {
  NARROWS_TRY(rounded, node.add(Unary{UnaryKind::round}, {x}));
  if (!zero.valid()) return node.finish(Cast{dtype}, {rounded});
  NARROWS_TRY(shifted, node.add(Binary{BinaryKind::add}, {rounded, zero}));
  return node.finish(Cast{dtype}, {shifted});
}

/// What a product of two quantized tensors is scaled with: inputs a * b / result, each one number
/// or, for b, one for each of `channels` placed for `at`.
Result<OperandId> productScale(NodeImport& node, std::size_t a, std::size_t b, std::size_t result,
                               const Placement& at) {
  NARROWS_TRY(first, node.input(a));
  NARROWS_TRY(second, node.input(b));
  NARROWS_TRY(last, node.input(result));
  NARROWS_TRY(one, spread(node, first, at, DType::f32));
  NARROWS_TRY(other, spread(node, second, at, DType::f32));
  NARROWS_TRY(divisor, spread(node, last, at, DType::f32));
  NARROWS_TRY(product, node.add(Binary{BinaryKind::mul}, {one, other}));
  return node.add(Binary{BinaryKind::div}, {product, divisor});
}

Result<OperandId> scaled(NodeImport& node, OperandId x, OperandId scale) {
  return node.add(Binary{BinaryKind::mul}, {x, scale});
}

}  // namespace

Status mapQuantizeLinear(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(scale, node.input(1));
  NARROWS_TRY(at, readPlacement(node, x));
  NARROWS_TRY(code, node.attributes.integer("output_dtype", 0));
  node.attributes.ignore({"saturate", "precision"});
  DType dtype = DType::u8;
  OperandId zero;
  if (node.hasInput(2)) {
    NARROWS_TRY(id, node.input(2));
    dtype = node.type(id).dtype;
    NARROWS_TRY(wide, spread(node, id, at, DType::f32));
    zero = wide;
  } else if (code != 0) {
    NARROWS_TRY(given, dtypeFromOnnx(code));
    dtype = given;
  }
  if (isFloating(dtype) || dtype == DType::boolean)
    return makeError("quantization to {}", toString(dtype));
  NARROWS_TRY(values, node.add(Cast{DType::f32}, {x}));
  NARROWS_TRY(wide, spread(node, scale, at, DType::f32));
  NARROWS_TRY(quotient, node.add(Binary{BinaryKind::div}, {values, wide}));
  return finishRounded(node, quotient, zero, dtype);
}

Status mapDequantizeLinear(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(scale, node.input(1));
  NARROWS_TRY(at, readPlacement(node, x));
  NARROWS_TRY(code, node.attributes.integer("output_dtype", 0));
  DType dtype = node.type(scale).dtype;
  if (code != 0) {
    NARROWS_TRY(given, dtypeFromOnnx(code));
    dtype = given;
  }
  NARROWS_TRY(values, centred(node, x, 2, at));
  NARROWS_TRY(wide, spread(node, scale, at, DType::f32));
  if (dtype == DType::f32) return node.finish(Binary{BinaryKind::mul}, {values, wide});
  NARROWS_TRY(result, scaled(node, values, wide));
  return node.finish(Cast{dtype}, {result});
}

// The smallest and largest element and zero become 0 and 255 and something between (ONNX's own
// function body).
Status mapDynamicQuantizeLinear(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  Ints axes;
  for (std::size_t i = 0; i < node.shape(x).rank(); ++i)
    axes.push_back(static_cast<std::int64_t>(i));
  NARROWS_TRY(zero, node.scalar(0, DType::f32));
  NARROWS_TRY(levels, node.scalar(255, DType::f32));
  NARROWS_TRY(lowest, node.add(Reduce{ReduceKind::min, axes, false}, {x}));
  NARROWS_TRY(highest, node.add(Reduce{ReduceKind::max, axes, false}, {x}));
  NARROWS_TRY(low, node.add(Binary{BinaryKind::min}, {lowest, zero}));
  NARROWS_TRY(high, node.add(Binary{BinaryKind::max}, {highest, zero}));
  NARROWS_TRY(range, node.add(Binary{BinaryKind::sub}, {high, low}));
  NARROWS_TRY(scale, node.add(Binary{BinaryKind::div}, {range, levels}));
  NARROWS_TRY(quotient, node.add(Binary{BinaryKind::div}, {low, scale}));
  NARROWS_TRY(negated, node.add(Unary{UnaryKind::neg}, {quotient}));
  NARROWS_TRY(clipped, node.add(Clip{0, 255}, {negated}));
  NARROWS_TRY(offset, node.add(Unary{UnaryKind::round}, {clipped}));
  NARROWS_TRY(point, node.add(Cast{DType::u8}, {offset}));
  NARROWS_CHECK(node.finishOperand(scale, 1));
  NARROWS_CHECK(node.finishOperand(point, 2));
  NARROWS_TRY(steps, node.add(Binary{BinaryKind::div}, {x, scale}));
  return finishRounded(node, steps, offset, DType::u8);
}

/// Sums of products of integers, as integers of the result's scale: the end of QLinearConv and
/// QLinearMatMul, whose parameters stand at the same inputs.
Status finishRescaled(NodeImport& node, OperandId sums, const Placement& at) {
  NARROWS_TRY(point, node.input(7));
  NARROWS_TRY(scale, productScale(node, 1, 4, 6, at));
  NARROWS_TRY(zero, spread(node, point, at, DType::f32));
  NARROWS_TRY(result, scaled(node, sums, scale));
  return finishRounded(node, result, zero, node.type(point).dtype);
}

Status mapQLinearConv(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(weight, node.input(3));
  const std::size_t rank = node.shape(x).rank();
  NARROWS_TRY(values, centred(node, x, 2, {node.shape(x), 1, 0}));
  NARROWS_TRY(weights, centred(node, weight, 5, {node.shape(weight), 0, 0}));
  OperandId bias;
  if (node.hasInput(8)) {
    NARROWS_TRY(given, node.input(8));
    NARROWS_TRY(wide, node.add(Cast{DType::f32}, {given}));
    bias = wide;
  }
  NARROWS_TRY(sums, convolve(node, values, weights, bias));
  const Placement at{node.shape(sums), 1, 0};
  if (node.shape(sums).rank() != rank) return makeError("input is {}", toString(node.shape(x)));
  return finishRescaled(node, sums, at);
}

Status mapQLinearMatMul(NodeImport& node) {
  NARROWS_TRY(a, node.input(0));
  NARROWS_TRY(b, node.input(3));
  const auto rank = static_cast<std::int64_t>(node.shape(a).rank());
  const auto other = static_cast<std::int64_t>(node.shape(b).rank());
  // Parameters of a are for its rows, those of b for its columns.
  NARROWS_TRY(left, centred(node, a, 2, {node.shape(a), std::max<std::int64_t>(rank - 2, 0), 0}));
  NARROWS_TRY(right, centred(node, b, 5, {node.shape(b), other - 1, 0}));
  NARROWS_TRY(sums, node.add(MatMul{}, {left, right}));
  const auto last = static_cast<std::int64_t>(node.shape(sums).rank()) - 1;
  const Placement at{node.shape(sums), last, 0};
  return finishRescaled(node, sums, at);
}

// All digits of the sums are the result, so they are summed in f64, which no kernel of such a size
// exceeds.
Status mapConvInteger(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(weight, node.input(1));
  NARROWS_TRY(values, centred(node, x, 2, {node.shape(x), 1, 0}));
  NARROWS_TRY(weights, centred(node, weight, 3, {node.shape(weight), 0, 0}));
  NARROWS_TRY(wide_values, node.add(Cast{DType::f64}, {values}));
  NARROWS_TRY(wide_weights, node.add(Cast{DType::f64}, {weights}));
  NARROWS_TRY(sums, convolve(node, wide_values, wide_weights, {}));
  return node.finish(Cast{DType::i32}, {sums});
}

Status mapMatMulInteger(NodeImport& node) {
  NARROWS_TRY(a, node.input(0));
  NARROWS_TRY(b, node.input(1));
  const auto rank = static_cast<std::int64_t>(node.shape(a).rank());
  const auto other = static_cast<std::int64_t>(node.shape(b).rank());
  NARROWS_TRY(left, centred(node, a, 2, {node.shape(a), std::max<std::int64_t>(rank - 2, 0), 0}));
  NARROWS_TRY(right, centred(node, b, 3, {node.shape(b), other - 1, 0}));
  NARROWS_TRY(whole_left, node.add(Cast{DType::i32}, {left}));
  NARROWS_TRY(whole_right, node.add(Cast{DType::i32}, {right}));
  return node.finish(MatMul{}, {whole_left, whole_right});
}

}  // namespace narrows
