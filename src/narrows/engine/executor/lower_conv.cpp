#include <algorithm>
#include <array>

#include "narrows/engine/executor/conv_kernels.h"
#include "narrows/engine/executor/lowering.h"

namespace narrows::executor {
namespace {

/// Rows of a matrix (..., K) as pixels of a map of height 1 with K channels.
Layout rowsAsPixels(const Layout& matrix, std::int64_t columns) {
  const std::int64_t rows = matrix.shape.elements() / columns;
  Layout layout = channelsLast(
      *Shape::create(std::array{std::int64_t{1}, columns, std::int64_t{1}, rows}), columns);
  layout.offset = matrix.offset;
  return layout;
}

/// Functions whose last digits differ between libraries.
bool isExponential(const Activation& activation) {
  return activation.kind == ActivationKind::sigmoid || activation.kind == ActivationKind::silu ||
         activation.kind == ActivationKind::tanh;
}

}  // namespace

Status Lowering::lowerConv(const Node& node, const Conv2d& op, const Fused& fused) {
  ConvProblem problem;
  problem.window = op.window;
  problem.groups = op.groups;
  problem.weights = graph_.value(node.inputs[1]).constant->as<float>();
  if (node.input(2).valid()) problem.bias = graph_.value(node.input(2)).constant->as<float>();
  problem.activation = fused.epilogue.activation;
  problem.residual_after_activation = fused.epilogue.residual_after_activation;
  problem.threads = tools_.team.size();
  problem.input = operandOf(node.inputs[0]).layout;
  Operand output = mapTarget(fused.result);
  problem.output = output.layout;
  std::optional<Operand> residual;
  if (fused.epilogue.residual.valid()) {
    residual = inForm(fused.epilogue.residual, Form::map);
    problem.residual = residual->layout;
  }
  const bool own = usesOwnConv(problem);
  const auto takes = [&] { return own ? ownConvTakes(problem) : backend_.takes(problem); };
  // As it is, as any map, without gaps: the first form that the kernel takes.
  Operand input = operandOf(node.inputs[0]);
  if (!takes()) {
    input = inForm(node.inputs[0], Form::map);
    problem.input = input.layout;
  }
  if (!takes()) {
    input = inForm(node.inputs[0], Form::dense_map);
    problem.input = input.layout;
    if (residual) {
      residual = inForm(fused.epilogue.residual, Form::dense_map);
      problem.residual = residual->layout;
    }
  }
  if (!takes()) {
    output = newOperand(DType::f32, channelsLast(output.shape(), output.shape()[1]));
    problem.output = output.layout;
  }
  NARROWS_CHECK(emitConv(problem, input, residual, output));
  define(fused.result, output);
  return {};
}

/// By shapes alone, but for a first layer's planes: the same convolution reads and writes slices
/// of other maps in a whole graph and maps of its own at a cut, and must round alike.
bool Lowering::usesOwnConv(const ConvProblem& problem) const {
  return isPlanar(problem) || !backend_.prefers(problem);
}

/// The backend's kernel or the executor's own, whichever has been measured to be faster. Behind the
/// backend's kernels exponentials are steps of their own: a graph that is cut between a convolution
/// and its activation must compute the very function that the whole graph does.
Status Lowering::emitConv(ConvProblem& problem, const Operand& input,
                          const std::optional<Operand>& residual, const Operand& output) {
  const bool own = usesOwnConv(problem);
  ConvProblem sums = problem;
  const bool apart = !own && isExponential(problem.activation);
  const bool add_after = apart && residual && problem.residual_after_activation;
  if (apart) sums.activation = Activation{};
  if (add_after) sums.residual.reset();
  NARROWS_TRY(kernel, own ? makeOwnConv(sums, tools_.kernels) : backend_.makeConv(sums));
  std::vector<Operand> used{input, output};
  if (residual) used.push_back(*residual);
  emit(makeConvStep(std::move(kernel), input, sums.residual ? &*residual : nullptr, output, tools_),
       used);
  if (apart) {
    emit(makeActivation(problem.activation, output, output, tools_), std::span(&output, 1));
  }
  if (add_after) {
    const std::array<Operand, 2> sum{output, *residual};
    emit(makeBinary(BinaryKind::add, Activation{}, output, *residual, output, tools_), sum);
  }
  return {};
}

Status Lowering::lowerProduct(const Node& node, const Fused& fused, bool transpose_b, double alpha,
                              double beta) {
  const Tensor& b = *graph_.value(node.inputs[1]).constant;
  const std::int64_t k = b.shape()[transpose_b ? 1 : 0];
  const std::int64_t n = b.shape()[transpose_b ? 0 : 1];
  if (k == 0) return lowerFallback(node);
  std::vector<float> weights(static_cast<std::size_t>(k * n));
  const auto from = b.as<float>();
  for (std::int64_t column = 0; column < n; ++column) {
    for (std::int64_t i = 0; i < k; ++i) {
      const auto at = static_cast<std::size_t>(transpose_b ? column * k + i : i * n + column);
      weights[static_cast<std::size_t>(column * k + i)] = static_cast<float>(alpha) * from[at];
    }
  }
  std::vector<float> bias;
  if (node.input(2).valid()) {
    const auto c = graph_.value(node.input(2)).constant->as<float>();
    for (std::int64_t i = 0; i < n; ++i)
      bias.push_back(static_cast<float>(beta) * c[c.size() == 1 ? 0 : static_cast<std::size_t>(i)]);
  }
  ConvProblem problem;
  problem.weights = weights;
  problem.bias = bias;
  problem.activation = fused.epilogue.activation;
  problem.residual_after_activation = fused.epilogue.residual_after_activation;
  problem.threads = tools_.team.size();
  Operand input = inForm(node.inputs[0], Form::row_major);
  input.layout = rowsAsPixels(input.layout, k);
  const auto& place = places_[fused.result.index()];
  const Shape& shape = graph_.shape(fused.result);
  const Operand result =
      place && isRowMajor(place->layout) ? *place : newOperand(DType::f32, rowMajor(shape));
  Operand output = result;
  output.layout = rowsAsPixels(result.layout, n);
  problem.input = input.layout;
  problem.output = output.layout;
  std::optional<Operand> residual;
  if (fused.epilogue.residual.valid()) {
    residual = inForm(fused.epilogue.residual, Form::row_major);
    residual->layout = rowsAsPixels(residual->layout, n);
    problem.residual = residual->layout;
  }
  NARROWS_CHECK(emitConv(problem, input, residual, output));
  define(fused.result, result);
  return {};
}

}  // namespace narrows::executor
