#include <algorithm>
#include <array>
#include <cstring>

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

/// Weights of a product, all of one result after another.
std::vector<float> productWeights(const Tensor& b, bool transposed, double alpha) {
  const std::int64_t k = b.shape()[transposed ? 1 : 0];
  const std::int64_t n = b.shape()[transposed ? 0 : 1];
  std::vector<float> weights(static_cast<std::size_t>(k * n));
  const auto from = b.as<float>();
  for (std::int64_t column = 0; column < n; ++column) {
    for (std::int64_t i = 0; i < k; ++i) {
      const auto at = static_cast<std::size_t>(transposed ? column * k + i : i * n + column);
      weights[static_cast<std::size_t>(column * k + i)] = static_cast<float>(alpha) * from[at];
    }
  }
  return weights;
}

/// Numbers of a small constant. What the reader has is not touched where it lies: systems map much
/// around what is.
Result<std::vector<float>> numbersOf(const Tensor& constant, WeightReader* reader) {
  const ByteSpan bytes = constant.view().bytes();
  if (reader == nullptr || !reader->has(bytes)) {
    const auto numbers = constant.as<float>();
    return std::vector<float>(numbers.begin(), numbers.end());
  }
  std::vector<float> numbers(bytes.size() / sizeof(float));
  reader->expect({bytes});
  NARROWS_TRY(held, reader->hold(bytes));
  std::memcpy(numbers.data(), held.data(), held.size());
  reader->release(bytes);
  return numbers;
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
  if (compact_[current_.index()] != Compact::none) return emitCompact(problem, node, fused);
  problem.input = operandOf(node.inputs[0]).layout;
  if (isPlanar(problem) && !fused.epilogue.residual.valid() && !streamed_[current_.index()] &&
      !backend_.storesIntegersOnly() && keepsCompact(fused, Compact::integers)) {
    return emitPlanarIntegers(problem, node.inputs[0], fused);
  }
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
  std::optional<WeightSource> source;
  if (streamed_[current_.index()]) {
    source.emplace();
    source->weights = graph_.value(node.inputs[1]).constant;
    if (node.input(2).valid()) {
      const Tensor& bias = *graph_.value(node.input(2)).constant;
      NARROWS_TRY(numbers, numbersOf(bias, options_.weight_reader));
      source->bias = std::move(numbers);
    }
  }
  NARROWS_CHECK(emitConv(problem, std::move(source), input, residual, output));
  define(fused.result, output);
  return {};
}

/// By shapes alone, but for a first layer's planes: the same convolution reads and writes slices
/// of other maps in a whole graph and maps of its own at a cut, and must round alike. Weights that
/// are not kept are packed faster by the own kernels, which take room for them and any part of the
/// results.
bool Lowering::usesOwnConv(const ConvProblem& problem) const {
  return isPlanar(problem) || !backend_.prefers(problem) ||
         (streamed_[current_.index()] && backend_.roundsLikeOwn(problem));
}

/// A copy in the arena of what the caller or a constant holds, for kernels that read beyond it.
Operand Lowering::insideArena(const Operand& operand) {
  if (parts_.buffers[operand.buffer.index()].kind == BufferKind::arena) return operand;
  const Operand made = newOperand(operand.dtype, channelsLast(operand.shape(), operand.shape()[1]));
  copy(operand, made);
  return made;
}

/// The backend's kernel or the executor's own, whichever has been measured to be faster. Behind the
/// backend's kernels exponentials are steps of their own: a graph that is cut between a convolution
/// and its activation must compute the very function that the whole graph does.
Status Lowering::emitConv(ConvProblem& problem, std::optional<WeightSource> source,
                          const Operand& input, const std::optional<Operand>& residual,
                          const Operand& output) {
  const bool own = usesOwnConv(problem);
  ConvProblem sums = problem;
  const Operand source_map = !own && backend_.overread() > 0 ? insideArena(input) : input;
  sums.input = source_map.layout;
  const bool after = problem.residual_after_activation;
  bool apart = !own && (isExponential(problem.activation) || !backend_.applies(problem.activation));
  const bool add = !own && residual && (!backend_.addsResiduals() || (apart && after));
  apart = apart || (add && !after);
  if (apart) sums.activation = Activation{};
  if (add) sums.residual.reset();
  std::vector<Operand> used{source_map, output};
  if (residual) used.push_back(*residual);
  const Operand* added = sums.residual ? &*residual : nullptr;
  if (source) {
    source->reader = options_.weight_reader;
    sums.weights = {};
    sums.bias = {};
    NARROWS_TRY(step, makeStreamedConv(sums, *std::move(source), own, shared_backend_, source_map,
                                       added, output, tools_));
    emit(std::move(step), used);
  } else {
    sums.store = store_;
    NARROWS_TRY(kernel, own ? makeOwnConv(sums, tools_.kernels) : backend_.makeConv(sums));
    emit(makeConvStep(std::move(kernel), source_map, added, output, tools_), used);
  }
  if (added != nullptr) mayOverwrite(*added, output, std::span(&source_map, 1));
  const auto emitSum = [&](const Activation& activation) {
    const std::array<Operand, 2> sum{output, *residual};
    emit(makeBinary(BinaryKind::add, activation, output, *residual, output, tools_), sum);
  };
  if (add && !after) {
    emitSum(problem.activation);
  } else if (apart) {
    emit(makeActivation(problem.activation, output, output, tools_), std::span(&output, 1));
  }
  if (add && after) emitSum({});
  return {};
}

Status Lowering::lowerProduct(const Node& node, const Fused& fused, bool transpose_b, double alpha,
                              double beta) {
  const Tensor& b = *graph_.value(node.inputs[1]).constant;
  const std::int64_t k = b.shape()[transpose_b ? 1 : 0];
  const std::int64_t n = b.shape()[transpose_b ? 0 : 1];
  if (k == 0) return lowerFallback(node);
  const bool streamed = streamed_[current_.index()];
  std::vector<float> weights;
  if (!streamed) weights = productWeights(b, transpose_b, alpha);
  std::vector<float> bias;
  if (node.input(2).valid()) {
    const Tensor& constant = *graph_.value(node.input(2)).constant;
    NARROWS_TRY(c, numbersOf(constant, streamed ? options_.weight_reader : nullptr));
    for (std::int64_t i = 0; i < n; ++i)
      bias.push_back(static_cast<float>(beta) * c[c.size() == 1 ? 0 : static_cast<std::size_t>(i)]);
  }
  ConvProblem problem;
  problem.weights = weights;
  problem.bias = bias;
  problem.activation = fused.epilogue.activation;
  problem.residual_after_activation = fused.epilogue.residual_after_activation;
  problem.threads = tools_.team.size();
  if (compact_[current_.index()] != Compact::none) return emitCompact(problem, node, fused);
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
  std::optional<WeightSource> source;
  if (streamed) {
    source.emplace();
    source->weights = graph_.value(node.inputs[1]).constant;
    source->bias = bias;
    source->by_input = !transpose_b;
    source->factor = static_cast<float>(alpha);
  }
  NARROWS_CHECK(emitConv(problem, std::move(source), input, residual, output));
  define(fused.result, result);
  return {};
}

/// A product of two tensors that a run makes: attention.
bool Lowering::lowerDynamicProduct(const Node& node) {
  const Shape& shape = graph_.shape(node.outputs[0]);
  const std::size_t rank = shape.rank();
  if (graph_.shape(node.inputs[0]).rank() < 2 || graph_.shape(node.inputs[1]).rank() < 2 ||
      graph_.shape(node.inputs[0]).elements() == 0) {
    return false;
  }
  const auto stacked = [&](const Layout& layout) {
    Ints extents(shape.extents().begin(), shape.extents().end());
    extents[rank - 2] = layout.shape[layout.shape.rank() - 2];
    extents[rank - 1] = layout.shape[layout.shape.rank() - 1];
    return broadcastTo(layout, *Shape::create(extents));
  };
  Operand a = operandOf(node.inputs[0]);
  if (a.layout.strides[a.shape().rank() - 1] != 1) a = inForm(node.inputs[0], Form::row_major);
  a.layout = stacked(a.layout);
  Operand b = operandOf(node.inputs[1]);
  b.layout = stacked(b.layout);
  const auto& place = places_[node.outputs[0].index()];
  const Operand y =
      place && isRowMajor(place->layout) ? *place : newOperand(DType::f32, rowMajor(shape));
  emit(makeProduct(a, b, y, tools_), std::array{a, b, y});
  define(node.outputs[0], y);
  return true;
}

}  // namespace narrows::executor
