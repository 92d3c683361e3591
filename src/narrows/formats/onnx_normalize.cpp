#include <algorithm>
#include <numeric>

#include "narrows/formats/onnx_operators.h"

namespace narrows {
namespace {

/// (x - mean) / sqrt(variance + epsilon) over `axes`.
Result<OperandId> standardize(NodeImport& node, OperandId x, const Ints& axes, double epsilon) {
  NARROWS_TRY(mean, node.add(Reduce{ReduceKind::mean, axes, true}, {x}));
  NARROWS_TRY(centred, node.add(Binary{BinaryKind::sub}, {x, mean}));
  NARROWS_TRY(square, node.add(Binary{BinaryKind::mul}, {centred, centred}));
  NARROWS_TRY(variance, node.add(Reduce{ReduceKind::mean, axes, true}, {square}));
  NARROWS_TRY(small, node.scalar(epsilon, node.type(x).dtype));
  NARROWS_TRY(positive, node.add(Binary{BinaryKind::add}, {variance, small}));
  NARROWS_TRY(deviation, node.add(Unary{UnaryKind::sqrt}, {positive}));
  return node.add(Binary{BinaryKind::div}, {centred, deviation});
}

Ints axesFrom(std::size_t first, std::size_t rank) {
  Ints axes(rank - first);
  std::iota(axes.begin(), axes.end(), static_cast<std::int64_t>(first));
  return axes;
}

Ints extentsOf(const Shape& shape) {
  return Ints(shape.extents().begin(), shape.extents().end());
}

/// A vector over channels in the form that broadcasts over (N,C,...).
Result<OperandId> perChannel(NodeImport& node, OperandId vector, std::size_t rank) {
  Ints shape(rank - 1, 1);
  shape[0] = node.shape(vector).elements();
  return node.add(Reshape{shape}, {vector});
}

/// scale * x + bias, both over channels.
Status finishAffine(NodeImport& node, OperandId x, OperandId scale, OperandId bias) {
  const std::size_t rank = node.shape(x).rank();
  NARROWS_TRY(wide_scale, perChannel(node, scale, rank));
  NARROWS_TRY(wide_bias, perChannel(node, bias, rank));
  NARROWS_TRY(scaled, node.add(Binary{BinaryKind::mul}, {x, wide_scale}));
  return node.finish(Binary{BinaryKind::add}, {scaled, wide_bias});
}

Status mapSoftmaxKind(NodeImport& node, bool log) {
  NARROWS_TRY(x, node.input(0));
  const Shape shape = node.shape(x);
  const bool flattens = node.opset() < 13;
  NARROWS_TRY(attribute, node.attributes.integer("axis", flattens ? 1 : -1));
  if (flattens && attribute == static_cast<std::int64_t>(shape.rank())) {
    return makeError("softmax over no axis");
  }
  NARROWS_TRY(axis, normalizeAxis(attribute, shape.rank()));
  const auto along = static_cast<std::int64_t>(axis);
  const auto rest = shape.extents().subspan(axis + 1);
  const bool single = std::all_of(rest.begin(), rest.end(), [](std::int64_t e) { return e == 1; });
  if (!flattens || single) return node.finish(Softmax{along, log}, {x});
  // Up to opset 12 the axes from `axis` on count as one.
  std::int64_t rows = 1;
  for (std::size_t i = 0; i < axis; ++i) rows *= shape[i];
  const std::int64_t columns = rows == 0 ? 0 : shape.elements() / rows;
  NARROWS_TRY(flat, node.add(Reshape{{rows, columns}}, {x}));
  NARROWS_TRY(probabilities, node.add(Softmax{1, log}, {flat}));
  return node.finish(Reshape{extentsOf(shape)}, {probabilities});
}

}  // namespace

Status mapSoftmax(NodeImport& node) {
  return mapSoftmaxKind(node, false);
}

Status mapLogSoftmax(NodeImport& node) {
  return mapSoftmaxKind(node, true);
}

Status mapBatchNormalization(NodeImport& node) {
  NARROWS_TRY(training, node.attributes.flag("training_mode", false));
  NARROWS_TRY(spatial, node.attributes.flag("spatial", true));
  NARROWS_TRY(epsilon, node.attributes.number("epsilon", 1e-5));
  node.attributes.ignore({"momentum", "is_test"});
  if (training) return makeError("training_mode is not supported");
  if (!spatial) return makeError("spatial = 0 is not supported");
  for (std::size_t i = 1; i < node.outputCount(); ++i) {
    if (node.hasOutput(i)) return makeError("training outputs are not supported");
  }
  std::vector<OperandId> inputs;
  for (std::size_t i = 0; i < 5; ++i) {
    NARROWS_TRY(input, node.input(i));
    inputs.push_back(input);
  }
  return node.finish(BatchNorm{epsilon}, std::move(inputs));
}

Status mapLrn(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(size, node.attributes.integer("size", 0));
  NARROWS_TRY(alpha, node.attributes.number("alpha", 1e-4));
  NARROWS_TRY(beta, node.attributes.number("beta", 0.75));
  NARROWS_TRY(bias, node.attributes.number("bias", 1));
  return node.finish(LocalResponseNorm{size, alpha, beta, bias}, {x});
}

Status mapInstanceNormalization(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(scale, node.input(1));
  NARROWS_TRY(bias, node.input(2));
  NARROWS_TRY(epsilon, node.attributes.number("epsilon", 1e-5));
  const std::size_t rank = node.shape(x).rank();
  if (rank < 3) return makeError("input is {}, expected maps", toString(node.shape(x)));
  NARROWS_TRY(normal, standardize(node, x, axesFrom(2, rank), epsilon));
  return finishAffine(node, normal, scale, bias);
}

// Opset 21 and later scale by channel; opset 18 by group.
Status mapGroupNormalization(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(scale, node.input(1));
  NARROWS_TRY(bias, node.input(2));
  NARROWS_TRY(epsilon, node.attributes.number("epsilon", 1e-5));
  NARROWS_TRY(groups, node.attributes.integer("num_groups", 0));
  node.attributes.ignore({"stash_type"});
  const Shape shape = node.shape(x);
  if (shape.rank() < 2 || groups < 1 || shape[1] % groups != 0 || shape[0] == 0) {
    return makeError("{} groups for input {}", groups, toString(shape));
  }
  NARROWS_TRY(grouped,
              node.add(Reshape{{shape[0], groups, shape.elements() / shape[0] / groups}}, {x}));
  NARROWS_TRY(normal, standardize(node, grouped, {2}, epsilon));
  if (node.opset() < 21) {
    NARROWS_TRY(group_scale, perChannel(node, scale, 3));
    NARROWS_TRY(group_bias, perChannel(node, bias, 3));
    NARROWS_TRY(scaled, node.add(Binary{BinaryKind::mul}, {normal, group_scale}));
    NARROWS_TRY(shifted, node.add(Binary{BinaryKind::add}, {scaled, group_bias}));
    return node.finish(Reshape{extentsOf(shape)}, {shifted});
  }
  NARROWS_TRY(restored, node.add(Reshape{extentsOf(shape)}, {normal}));
  return finishAffine(node, restored, scale, bias);
}

Status mapLayerNormalization(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(scale, node.input(1));
  NARROWS_TRY(epsilon, node.attributes.number("epsilon", 1e-5));
  NARROWS_TRY(attribute, node.attributes.integer("axis", -1));
  node.attributes.ignore({"stash_type"});
  if (node.hasOutput(1) || node.hasOutput(2)) return makeError("only output 0 is supported");
  const std::size_t rank = node.shape(x).rank();
  NARROWS_TRY(axis, normalizeAxis(attribute, rank));
  NARROWS_TRY(normal, standardize(node, x, axesFrom(axis, rank), epsilon));
  if (!node.hasInput(2)) return node.finish(Binary{BinaryKind::mul}, {normal, scale});
  NARROWS_TRY(bias, node.input(2));
  NARROWS_TRY(scaled, node.add(Binary{BinaryKind::mul}, {normal, scale}));
  return node.finish(Binary{BinaryKind::add}, {scaled, bias});
}

Status mapRmsNormalization(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(scale, node.input(1));
  NARROWS_TRY(epsilon, node.attributes.number("epsilon", 1e-5));
  NARROWS_TRY(attribute, node.attributes.integer("axis", -1));
  node.attributes.ignore({"stash_type"});
  const std::size_t rank = node.shape(x).rank();
  NARROWS_TRY(axis, normalizeAxis(attribute, rank));
  NARROWS_TRY(square, node.add(Binary{BinaryKind::mul}, {x, x}));
  NARROWS_TRY(mean, node.add(Reduce{ReduceKind::mean, axesFrom(axis, rank), true}, {square}));
  NARROWS_TRY(small, node.scalar(epsilon, node.type(x).dtype));
  NARROWS_TRY(positive, node.add(Binary{BinaryKind::add}, {mean, small}));
  NARROWS_TRY(root, node.add(Unary{UnaryKind::sqrt}, {positive}));
  NARROWS_TRY(normal, node.add(Binary{BinaryKind::div}, {x, root}));
  return node.finish(Binary{BinaryKind::mul}, {normal, scale});
}

Status mapLpNormalization(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(attribute, node.attributes.integer("axis", -1));
  NARROWS_TRY(p, node.attributes.integer("p", 2));
  NARROWS_TRY(axis, normalizeAxis(attribute, node.shape(x).rank()));
  if (p != 1 && p != 2) return makeError("p is {}, expected 1 or 2", p);
  const Reduce reduce{
      p == 1 ? ReduceKind::l1 : ReduceKind::l2, {static_cast<std::int64_t>(axis)}, true};
  NARROWS_TRY(norm, node.add(reduce, {x}));
  // A zero vector stays zero: 0 / 1.
  NARROWS_TRY(zero, node.scalar(0, node.type(x).dtype));
  NARROWS_TRY(one, node.scalar(1, node.type(x).dtype));
  NARROWS_TRY(is_zero, node.add(Binary{BinaryKind::equal}, {norm, zero}));
  NARROWS_TRY(divisor, node.add(Where{}, {is_zero, one, norm}));
  return node.finish(Binary{BinaryKind::div}, {x, divisor});
}

Status mapMeanVarianceNormalization(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(axes, node.attributes.integers("axes", {0, 2, 3}));
  const std::size_t rank = node.shape(x).rank();
  for (std::int64_t& axis : axes) {
    NARROWS_TRY(normal, normalizeAxis(axis, rank));
    axis = static_cast<std::int64_t>(normal);
  }
  // ONNX's own function: (x - mean) / (sqrt(mean(x^2) - mean^2) + 1e-9).
  NARROWS_TRY(mean, node.add(Reduce{ReduceKind::mean, axes, true}, {x}));
  NARROWS_TRY(mean_square, node.add(Binary{BinaryKind::mul}, {mean, mean}));
  NARROWS_TRY(square, node.add(Binary{BinaryKind::mul}, {x, x}));
  NARROWS_TRY(square_mean, node.add(Reduce{ReduceKind::mean, axes, true}, {square}));
  NARROWS_TRY(variance, node.add(Binary{BinaryKind::sub}, {square_mean, mean_square}));
  NARROWS_TRY(deviation, node.add(Unary{UnaryKind::sqrt}, {variance}));
  NARROWS_TRY(small, node.scalar(1e-9, node.type(x).dtype));
  NARROWS_TRY(divisor, node.add(Binary{BinaryKind::add}, {deviation, small}));
  NARROWS_TRY(centred, node.add(Binary{BinaryKind::sub}, {x, mean}));
  return node.finish(Binary{BinaryKind::div}, {centred, divisor});
}

Status mapDropout(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  node.attributes.ignore({"ratio", "seed", "is_test"});
  if (node.hasInput(2)) {
    NARROWS_TRY(training, node.input(2));
    const bool known =
        node.isConstant(training) && node.type(training) == TensorType{DType::boolean, Shape{}};
    bool active = !known || node.constant(training).as<bool>()[0];
    if (active && node.hasInput(1)) {
      auto ratio = node.scalarInput(1, "ratio");
      active = !known || !ratio.ok() || *ratio != 0;
    }
    if (active) return makeError("dropout in training mode is not supported");
  }
  if (node.hasOutput(1)) {
    // Nothing is dropped: the mask is true everywhere.
    NARROWS_CHECK(node.spend(static_cast<std::size_t>(node.shape(x).elements())));
    Tensor mask(DType::boolean, node.shape(x));
    std::fill(mask.mutableAs<bool>().begin(), mask.mutableAs<bool>().end(), true);
    NARROWS_CHECK(node.finishConstant(std::move(mask), 1));
  }
  return node.finish(Identity{}, {x});
}

Status mapGemm(NodeImport& node) {
  NARROWS_TRY(a, node.input(0));
  NARROWS_TRY(b, node.input(1));
  NARROWS_TRY(alpha, node.attributes.number("alpha", 1));
  NARROWS_TRY(beta, node.attributes.number("beta", 1));
  node.attributes.ignore({"broadcast"});  // opset 6; later ones always do
  NARROWS_TRY(transpose_a, node.attributes.flag("transA", false));
  NARROWS_TRY(transpose_b, node.attributes.flag("transB", false));
  std::vector<OperandId> inputs{a, b};
  if (node.hasInput(2)) {
    NARROWS_TRY(c, node.input(2));
    inputs.push_back(c);
  }
  return node.finish(Gemm{transpose_a, transpose_b, alpha, beta}, std::move(inputs));
}

Status mapMatMul(NodeImport& node) {
  NARROWS_TRY(a, node.input(0));
  NARROWS_TRY(b, node.input(1));
  return node.finish(MatMul{}, {a, b});
}

}  // namespace narrows
