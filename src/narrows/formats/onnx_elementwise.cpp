#include <algorithm>
#include <limits>

#include "narrows/formats/onnx_operators.h"

namespace narrows {
namespace {

/// The axis of `b` in `a` that operators before opset 7 gave; later ones broadcast as NumPy does.
Result<OperandId> placedOperand(NodeImport& node, OperandId a, OperandId b) {
  node.attributes.ignore({"broadcast", "consumed_inputs"});
  if (!node.attributes.has("axis")) return b;
  NARROWS_TRY(attribute, node.attributes.integer("axis", 0));
  const std::size_t rank = node.shape(a).rank();
  NARROWS_TRY(axis, normalizeAxis(attribute, rank));
  const Shape& shape = node.shape(b);
  Ints extents(shape.extents().begin(), shape.extents().end());
  if (axis + extents.size() > rank) {
    return makeError("axis {} for {} and {}", attribute, toString(node.shape(a)), toString(shape));
  }
  extents.resize(rank - axis, 1);
  return node.add(Reshape{extents}, {b});
}

Status finishBinary(NodeImport& node, BinaryKind kind) {
  NARROWS_TRY(a, node.input(0));
  NARROWS_TRY(b, node.input(1));
  NARROWS_TRY(placed, placedOperand(node, a, b));
  return node.finish(Binary{kind}, {a, placed});
}

Result<OperandId> fold(NodeImport& node, BinaryKind kind, std::size_t count) {
  NARROWS_TRY(total, node.input(0));
  OperandId result = total;
  for (std::size_t i = 1; i < count; ++i) {
    NARROWS_TRY(next, node.input(i));
    NARROWS_TRY(sum, node.add(Binary{kind}, {result, next}));
    result = sum;
  }
  return result;
}

/// Largest and smallest finite value of a floating-point dtype.
Result<double> largest(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return static_cast<double>(std::numeric_limits<float>::max());
    case DType::f64:
      return std::numeric_limits<double>::max();
    case DType::f16:
      return 65504.0;
    default:
      return makeError("not supported for {}", toString(dtype));
  }
}

Status clipByInputs(NodeImport& node, OperandId x) {
  OperandId result = x;
  if (node.hasInput(1)) {
    NARROWS_TRY(low, node.input(1));
    if (!node.hasInput(2)) return node.finish(Binary{BinaryKind::max}, {x, low});
    NARROWS_TRY(raised, node.add(Binary{BinaryKind::max}, {x, low}));
    result = raised;
  }
  if (!node.hasInput(2)) return node.finish(Identity{}, {result});
  NARROWS_TRY(high, node.input(2));
  return node.finish(Binary{BinaryKind::min}, {result, high});
}

bool isKnown(NodeImport& node, std::size_t index) {
  if (!node.hasInput(index)) return true;
  auto id = node.input(index);
  return id.ok() && node.isConstant(*id);
}

/// x > threshold ? a : b.
Status finishSelect(NodeImport& node, OperandId x, double threshold, OperandId a, OperandId b) {
  NARROWS_TRY(limit, node.scalar(threshold, node.type(x).dtype));
  NARROWS_TRY(above, node.add(Binary{BinaryKind::greater}, {x, limit}));
  return node.finish(Where{}, {above, a, b});
}

}  // namespace

Status mapUnary(NodeImport& node, UnaryKind kind) {
  NARROWS_TRY(x, node.input(0));
  return node.finish(Unary{kind}, {x});
}

Status mapBinary(NodeImport& node, BinaryKind kind) {
  return finishBinary(node, kind);
}

Status mapVariadic(NodeImport& node, BinaryKind kind) {
  const std::size_t count = node.inputCount();
  if (count == 0) return makeError("no inputs");
  if (count == 1) {
    NARROWS_TRY(x, node.input(0));
    return node.finish(Identity{}, {x});
  }
  NARROWS_TRY(head, fold(node, kind, count - 1));
  NARROWS_TRY(last, node.input(count - 1));
  return node.finish(Binary{kind}, {head, last});
}

Status mapMean(NodeImport& node) {
  const std::size_t count = node.inputCount();
  if (count == 0) return makeError("no inputs");
  NARROWS_TRY(sum, fold(node, BinaryKind::add, count));
  NARROWS_TRY(divisor, node.scalar(static_cast<double>(count), node.type(sum).dtype));
  return node.finish(Binary{BinaryKind::div}, {sum, divisor});
}

Status mapMod(NodeImport& node) {
  NARROWS_TRY(fmod, node.attributes.flag("fmod", false));
  return finishBinary(node, fmod ? BinaryKind::fmod : BinaryKind::mod);
}

Status mapIsInf(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(negative, node.attributes.flag("detect_negative", true));
  NARROWS_TRY(positive, node.attributes.flag("detect_positive", true));
  if (negative && positive) return node.finish(Unary{UnaryKind::is_inf}, {x});
  NARROWS_TRY(infinite, node.add(Unary{UnaryKind::is_inf}, {x}));
  NARROWS_TRY(zero, node.scalar(0, node.type(x).dtype));
  NARROWS_TRY(sign, node.add(Binary{positive ? BinaryKind::greater : BinaryKind::less}, {x, zero}));
  if (negative || positive) return node.finish(Binary{BinaryKind::logical_and}, {infinite, sign});
  return node.finish(Binary{BinaryKind::logical_xor}, {infinite, infinite});
}

Status mapLeakyRelu(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(alpha, node.attributes.number("alpha", 0.01));
  return node.finish(LeakyRelu{alpha}, {x});
}

Status mapElu(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(alpha, node.attributes.number("alpha", 1));
  return node.finish(Elu{alpha, 1}, {x});
}

Status mapSelu(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(alpha, node.attributes.number("alpha", decimalValue(1.67326319217681884765625f)));
  NARROWS_TRY(gamma, node.attributes.number("gamma", decimalValue(1.05070102214813232421875f)));
  return node.finish(Elu{alpha, gamma}, {x});
}

// max(0, x) + min(0, alpha * (exp(x / alpha) - 1)) = alpha * elu(x / alpha) for alpha > 0.
Status mapCelu(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(alpha, node.attributes.number("alpha", 1));
  if (!(alpha > 0)) return makeError("alpha is {}, expected a positive number", alpha);
  NARROWS_TRY(factor, node.scalar(alpha, node.type(x).dtype));
  NARROWS_TRY(scaled, node.add(Binary{BinaryKind::div}, {x, factor}));
  NARROWS_TRY(elu, node.add(Elu{1, 1}, {scaled}));
  return node.finish(Binary{BinaryKind::mul}, {elu, factor});
}

Status mapHardSigmoid(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(alpha, node.attributes.number("alpha", 0.2));
  NARROWS_TRY(beta, node.attributes.number("beta", 0.5));
  return node.finish(HardSigmoid{alpha, beta}, {x});
}

Status mapGelu(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(approximate, node.attributes.text("approximate", "none"));
  if (approximate == "none") return node.finish(Unary{UnaryKind::gelu}, {x});
  if (approximate == "tanh") return node.finish(Unary{UnaryKind::gelu_tanh}, {x});
  return makeError("approximate is \"{}\"", approximate);
}

Status mapSwish(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(alpha, node.attributes.number("alpha", 1));
  if (alpha == 1) return node.finish(Unary{UnaryKind::silu}, {x});
  NARROWS_TRY(factor, node.scalar(alpha, node.type(x).dtype));
  NARROWS_TRY(scaled, node.add(Binary{BinaryKind::mul}, {x, factor}));
  NARROWS_TRY(gate, node.add(Unary{UnaryKind::sigmoid}, {scaled}));
  return node.finish(Binary{BinaryKind::mul}, {x, gate});
}

Status mapThresholdedRelu(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(alpha, node.attributes.number("alpha", 1));
  NARROWS_TRY(zero, node.scalar(0, node.type(x).dtype));
  return finishSelect(node, x, alpha, x, zero);
}

// x < -lambd ? x + bias : x > lambd ? x - bias : 0.
Status mapShrink(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(lambda, node.attributes.number("lambd", 0.5));
  NARROWS_TRY(bias, node.attributes.number("bias", 0));
  const DType dtype = node.type(x).dtype;
  NARROWS_TRY(zero, node.scalar(0, dtype));
  NARROWS_TRY(shift, node.scalar(bias, dtype));
  NARROWS_TRY(low, node.scalar(-lambda, dtype));
  NARROWS_TRY(up, node.add(Binary{BinaryKind::add}, {x, shift}));
  NARROWS_TRY(down, node.add(Binary{BinaryKind::sub}, {x, shift}));
  NARROWS_TRY(below, node.add(Binary{BinaryKind::less}, {x, low}));
  NARROWS_TRY(rest, node.add(Where{}, {below, up, zero}));
  return finishSelect(node, x, lambda, down, rest);
}

Status mapClip(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  const DType dtype = node.type(x).dtype;
  if (!isFloating(dtype) || !isKnown(node, 1) || !isKnown(node, 2)) return clipByInputs(node, x);
  NARROWS_TRY(limit, largest(dtype));
  Clip clip{-limit, limit};
  if (node.opset() < 11) {
    NARROWS_TRY(low, node.attributes.number("min", clip.low));
    NARROWS_TRY(high, node.attributes.number("max", clip.high));
    return node.finish(Clip{low, high}, {x});
  }
  if (node.hasInput(1)) {
    NARROWS_TRY(low, node.scalarInput(1, "min"));
    clip.low = low;
  }
  if (node.hasInput(2)) {
    NARROWS_TRY(high, node.scalarInput(2, "max"));
    clip.high = high;
  }
  return node.finish(clip, {x});
}

Status mapPRelu(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(slope, node.input(1));
  const Shape& shape = node.shape(x);
  // One slope for each channel without the axes behind it: opset 6, and exporters ever since.
  const bool per_channel = node.shape(slope).rank() == 1 && shape.rank() > 2 &&
                           node.shape(slope)[0] == shape[1] &&
                           node.shape(slope)[0] != shape[shape.rank() - 1];
  if (!per_channel) return node.finish(PRelu{}, {x, slope});
  Ints extents(shape.rank() - 1, 1);
  extents[0] = shape[1];
  NARROWS_TRY(wide, node.add(Reshape{extents}, {slope}));
  return node.finish(PRelu{}, {x, wide});
}

Status mapWhere(NodeImport& node) {
  NARROWS_TRY(condition, node.input(0));
  NARROWS_TRY(a, node.input(1));
  NARROWS_TRY(b, node.input(2));
  return node.finish(Where{}, {condition, a, b});
}

Status mapCast(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(code, node.attributes.integer("to", 0));
  node.attributes.ignore({"saturate", "round_mode"});
  NARROWS_TRY(dtype, dtypeFromOnnx(code));
  return node.finish(Cast{dtype}, {x});
}

Status mapCastLike(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(like, node.input(1));
  node.attributes.ignore({"saturate", "round_mode"});
  return node.finish(Cast{node.type(like).dtype}, {x});
}

Status mapIdentity(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  return node.finish(Identity{}, {x});
}

}  // namespace narrows
