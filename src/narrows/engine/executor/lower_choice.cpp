#include <algorithm>
#include <array>
#include <cmath>

#include "narrows/engine/executor/conv_kernels.h"
#include "narrows/engine/executor/lowering.h"

namespace narrows::executor {
namespace {

struct IntegerForm {
  DType dtype = DType::u8;
  float scale = 1;
  std::int32_t zero = 0;
};

/// A map of u8 where all numbers are positive, of i8 otherwise; the largest becomes the largest.
/// With `shifted`, one whose numbers reach much further on one side is of u8, too.
IntegerForm integerForm(const ValueRange& range, bool shifted) {
  constexpr float kMuchWider = 1.25F;
  const float most = std::max(std::abs(range.low), std::abs(range.high));
  if (!(most > 0)) return {};
  if (range.low >= 0) return {DType::u8, most / 255.0F, 0};
  const float width = std::max(range.high, 0.0F) - range.low;
  if (!shifted || 2 * most < kMuchWider * width) return {DType::i8, most / 127.0F, 0};
  const float scale = width / 255.0F;
  return {DType::u8, scale, static_cast<std::int32_t>(std::lrintf(-range.low / scale))};
}

/// Of numbers that a kernel takes as they are: always a map of u8.
IntegerForm unsignedForm(const ValueRange& range) {
  const float low = std::min(range.low, 0.0F);
  const float width = std::max(range.high, 0.0F) - low;
  if (!(width > 0)) return {};
  const float scale = width / 255.0F;
  return {DType::u8, scale, static_cast<std::int32_t>(std::lrintf(-low / scale))};
}

/// Whether a node's results are sums or means of many numbers, in which coarse ones even out.
bool sumsUp(const Op& op) {
  return std::holds_alternative<Conv2d>(op) || std::holds_alternative<ConvTranspose2d>(op) ||
         std::holds_alternative<MatMul>(op) || std::holds_alternative<Gemm>(op) ||
         std::holds_alternative<AveragePool2d>(op) || std::holds_alternative<GlobalPool>(op) ||
         std::holds_alternative<Reduce>(op);
}

/// By value: whether its numbers are scores and boxes themselves, or become them without being
/// summed up again.
std::vector<bool> outputNumbers(const Graph& graph) {
  std::vector<bool> ends(graph.valueCount(), false);
  for (ValueId output : graph.outputs()) ends[output.index()] = true;
  for (std::size_t n = graph.nodeCount(); n-- > 0;) {
    const Node& node = graph.node(NodeId(n));
    const bool reached = std::any_of(node.outputs.begin(), node.outputs.end(),
                                     [&](ValueId output) { return ends[output.index()]; });
    if (!reached || sumsUp(node.op)) continue;
    for (ValueId input : node.inputs) {
      if (input.valid()) ends[input.index()] = true;
    }
  }
  return ends;
}

/// A tensor (..., K) as a map with K channels, whatever its rank; a map as it is.
Shape mapShape(const Shape& shape) {
  if (shape.rank() == 4) return shape;
  const std::int64_t channels = shape[shape.rank() - 1];
  return *Shape::create(
      std::array{std::int64_t{1}, channels, std::int64_t{1}, shape.elements() / channels});
}

}  // namespace

/// The smallest weights are kept: they are the ones of layers that read them most often.
void Lowering::chooseStreamed() {
  if (!options_.kept_weights) return;
  std::vector<std::pair<std::size_t, std::size_t>> layers;  // bytes, node
  for (NodeId id : nodeIds(graph_)) {
    const Node& node = graph_.node(id);
    if (hasEpilogue(graph_, node))
      layers.emplace_back(graph_.type(node.inputs[1]).bytes(), id.index());
  }
  std::sort(layers.begin(), layers.end());
  std::size_t kept = 0;
  for (const auto& [bytes, node] : layers) {
    kept += std::min(bytes, *options_.kept_weights + 1);
    streamed_[node] = kept > *options_.kept_weights;
  }
}

std::optional<ValueRange> Lowering::rangeOf(ValueId id) const {
  if (options_.int8_ranges == nullptr) return std::nullopt;
  const auto found = options_.int8_ranges->find(graph_.value(id).name);
  if (found == options_.int8_ranges->end()) return std::nullopt;
  return found->second;
}

/// Whether a value can be stored so.
bool Lowering::hasCompact(ValueId id, Compact kind) const {
  return kind == Compact::bfloat || (kind == Compact::integers && rangeOf(id));
}

/// What a convolution or product multiplies. A first layer of few channels has a kernel of its own.
/// Of integers any first layer stays in f32, and so do the last ones, in which steps show most;
/// they multiply bf16 where that is fast.
Compact Lowering::compactKind(const Node& node, bool last) const {
  const ValueId input = node.inputs[0];
  const bool first = graph_.isInput(input);
  const bool few = graph_.shape(input).rank() == 4 && graph_.shape(input)[1] <= kMostPlanes;
  if (options_.bf16) return first && few ? Compact::none : Compact::bfloat;
  if (first) return Compact::none;
  if (last) return has_bfloat_ ? Compact::bfloat : Compact::none;
  return rangeOf(input) ? Compact::integers : Compact::none;
}

void Lowering::chooseCompact() {
  if (options_.int8_ranges == nullptr && !options_.bf16) return;
  has_bfloat_ = backend_.multipliesBfloat().ok();
  const std::vector<bool> ends = outputNumbers(graph_);
  for (NodeId id : nodeIds(graph_)) {
    const Node& node = graph_.node(id);
    if (!hasEpilogue(graph_, node) || streamed_[id.index()]) continue;
    const auto* conv = std::get_if<Conv2d>(&node.op);
    const bool plain = conv == nullptr || conv->groups == 1;
    // A product of maps has no channels in its last axis.
    const bool rows = conv != nullptr || graph_.shape(node.inputs[0]).rank() != 4;
    const bool known =
        !backend_.storesIntegersOnly() || rangeOf(storedInIntegers(node, fusion_.fused(id)));
    if (!plain || !rows || !known) continue;
    compact_[id.index()] = compactKind(node, ends[fusion_.fused(id).result.index()]);
    if (backend_.storesIntegersOnly()) continue;  // residuals are added in f32
    const ValueId added = fusion_.fused(id).epilogue.residual;
    if (compact_[id.index()] != Compact::none && added.valid()) adders_.emplace(added.index(), id);
  }
}

/// Whether a result is stored so: nobody reads it otherwise.
bool Lowering::keepsCompact(const Fused& fused, Compact kind) const {
  if (!hasCompact(fused.result, kind)) return false;
  const ValueId added = fused.epilogue.residual;
  return (!added.valid() || hasCompact(added, kind)) && isReadCompact(fused.result, kind);
}

/// Whether all that read a value take it so.
bool Lowering::isReadCompact(ValueId id, Compact kind) const {
  if (graph_.isOutput(id) || places_[id.index()]) return false;
  // A sum that a convolution does itself is one reader of its residual.
  const auto readers = graph_.consumers(id);
  auto count = std::count_if(readers.begin(), readers.end(), [&](NodeId reader) {
    const Node& node = graph_.node(reader);
    return (compact_[reader.index()] == kind && node.inputs[0] == id) || poolsCompact(node, kind);
  });
  const auto [first, last] = adders_.equal_range(id.index());
  for (auto it = first; it != last; ++it) {
    if (compact_[it->second.index()] == kind && keepsCompact(fusion_.fused(it->second), kind))
      ++count;
  }
  return count == std::ssize(readers);
}

/// Whether a pool takes what it is given and passes it on. Backends that store integers alone have
/// a form of their own for them.
bool Lowering::poolsCompact(const Node& node, Compact kind) const {
  const auto* pool = std::get_if<MaxPool2d>(&node.op);
  return pool != nullptr && !backend_.storesIntegersOnly() && node.outputs.size() == 1 &&
         hasCompactPool(pool->window, graph_.shape(node.inputs[0]),
                        graph_.shape(node.outputs[0])) &&
         isReadCompact(node.outputs[0], kind);
}

/// Whether no window reaches beyond the map. Where one does, oneDNN's kernels for AMX work out in
/// every run what a zero of its own does at the edges.
bool Lowering::isReadUnpadded(ValueId id) const {
  const auto readers = graph_.consumers(id);
  return std::all_of(readers.begin(), readers.end(), [&](NodeId reader) {
    const Node& node = graph_.node(reader);
    if (const auto* conv = std::get_if<Conv2d>(&node.op)) return conv->window.pads == Padding2d{};
    return !poolsCompact(node, Compact::integers) || isReadUnpadded(node.outputs[0]);
  });
}

Lowering::Scaled Lowering::newScaled(ValueId id, const Shape& map, Compact kind) {
  if (kind == Compact::bfloat) return {newOperand(kBfloat, channelsLast(map, map[1])), 1, 0};
  const bool shifted = !backend_.storesIntegersOnly() && isReadUnpadded(id);
  const IntegerForm form = integerForm(*rangeOf(id), shifted);
  return {newOperand(form.dtype, channelsLast(map, map[1])), form.scale, form.zero};
}

/// The operand as a map, also of a matrix.
Operand Lowering::asPixels(ValueId id) {
  if (graph_.shape(id).rank() == 4) return inForm(id, Form::map);
  Operand operand = inForm(id, Form::row_major);
  const Shape map = mapShape(operand.shape());
  const std::int64_t offset = operand.layout.offset;
  operand.layout = channelsLast(map, map[1]);
  operand.layout.offset = offset;
  return operand;
}

Status Lowering::emitRescale(const Scaled& from, const Scaled& to) {
  ScaledMap source = from.map();
  const Operand operand = backend_.overread() > 0 ? insideArena(from.operand) : from.operand;
  source.layout = operand.layout;
  const bool quantizes = from.operand.dtype == DType::f32 && to.operand.dtype != kBfloat;
  if (quantizes && !backend_.storesIntegersOnly()) {
    emit(makeQuantize(operand, to.map(), to.operand, tools_), std::array{operand, to.operand});
    return {};
  }
  NARROWS_TRY(kernel, backend_.makeRescale(source, to.map(), tools_.team.size()));
  emit(makeByteStep(std::move(kernel), operand, nullptr, to.operand, tools_),
       std::array{operand, to.operand});
  return {};
}

const Lowering::Scaled* Lowering::knownCompact(ValueId id, Compact kind) const {
  const auto known = compacts_.find({id.index(), kind});
  return known == compacts_.end() ? nullptr : &known->second;
}

Result<Lowering::Scaled> Lowering::compactOf(ValueId id, Compact kind) {
  if (const Scaled* known = knownCompact(id, kind)) return *known;
  const Operand source = asPixels(id);
  const Scaled made = newScaled(id, source.shape(), kind);
  NARROWS_CHECK(emitRescale({source, 1, 0}, made));
  // Beside the operand in f32, which stays what others read.
  compacts_.emplace(std::pair(id.index(), kind), made);
  return made;
}

/// Whether a backend that stores integers alone does all that follows the sums itself.
bool Lowering::finishesInIntegers(const Fused& fused) const {
  return !fused.epilogue.residual.valid() && backend_.applies(fused.epilogue.activation);
}

/// The value that such a backend stores: the result, or the sums, which f32 steps go on with.
ValueId Lowering::storedInIntegers(const Node& node, const Fused& fused) const {
  return finishesInIntegers(fused) ? fused.result : node.outputs[0];
}

Status Lowering::emitStoredIntegers(ConvProblem& problem, const Node& node, const Fused& fused) {
  const Compact kind = Compact::integers;
  const bool whole = finishesInIntegers(fused);
  NARROWS_TRY(input, compactOf(node.inputs[0], kind));
  const Shape& shape = graph_.shape(fused.result);
  const Shape map = mapShape(shape);
  const Scaled sums = newScaled(storedInIntegers(node, fused), map, kind);
  problem.input = input.operand.layout;
  problem.output = sums.operand.layout;
  if (!whole) problem.activation = Activation{};
  CompactConv conv;
  conv.problem = problem;
  conv.input = input.map();
  conv.output = sums.map();
  NARROWS_TRY(kernel, backend_.makeCompactConv(conv));
  emit(makeByteStep(std::move(kernel), input.operand, nullptr, sums.operand, tools_),
       std::array{input.operand, sums.operand});
  if (whole && keepsCompact(fused, kind)) {
    compacts_.emplace(std::pair(fused.result.index(), kind), sums);
    return {};
  }
  Operand result = newOperand(DType::f32, channelsLast(map, map[1]));
  NARROWS_CHECK(emitRescale(sums, {result, 1, 0}));
  if (!whole) emitEpilogue(fused.epilogue, result);
  if (shape.rank() != 4) result.layout = rowMajor(shape);
  define(fused.result, result);
  return {};
}

/// What follows the sums, in place and in f32.
void Lowering::emitEpilogue(const Epilogue& epilogue, const Operand& result) {
  const bool after = epilogue.residual_after_activation;
  if (!epilogue.residual.valid()) {
    emit(makeActivation(epilogue.activation, result, result, tools_), std::span(&result, 1));
    return;
  }
  const Operand residual = asPixels(epilogue.residual);
  if (after) {
    emit(makeActivation(epilogue.activation, result, result, tools_), std::span(&result, 1));
  }
  emit(makeBinary(BinaryKind::add, after ? Activation{} : epilogue.activation, result, residual,
                  result, tools_),
       std::array{result, residual});
}

Status Lowering::emitCompact(ConvProblem& problem, const Node& node, const Fused& fused) {
  if (backend_.storesIntegersOnly()) return emitStoredIntegers(problem, node, fused);
  const Compact kind = compact_[current_.index()];
  const bool keep = keepsCompact(fused, kind);
  const ValueId added = fused.epilogue.residual;
  NARROWS_TRY(input, compactOf(node.inputs[0], kind));
  const Shape& shape = graph_.shape(fused.result);
  const Shape map = mapShape(shape);
  Scaled output;
  if (keep) {
    output = newScaled(fused.result, map, kind);
  } else {
    output.operand = newOperand(DType::f32, channelsLast(map, map[1]));
  }
  std::optional<Scaled> residual;
  if (added.valid() && keep) {
    NARROWS_TRY(stored, compactOf(added, kind));
    residual = stored;
  } else if (added.valid()) {
    residual.emplace();
    residual->operand = asPixels(added);
    if (!isDenseMap(residual->operand.layout)) {
      residual->operand = inForm(added, Form::dense_map);
    }
  }
  problem.input = input.operand.layout;
  problem.output = output.operand.layout;
  problem.store = store_;
  CompactConv conv;
  conv.problem = problem;
  conv.input = input.map();
  conv.output = output.map();
  std::vector<Operand> used{input.operand, output.operand};
  if (residual) {
    conv.problem.residual = residual->operand.layout;
    conv.residual = residual->map();
    used.push_back(residual->operand);
  }
  NARROWS_TRY(kernel, backend_.makeCompactConv(conv));
  emit(makeByteStep(std::move(kernel), input.operand, residual ? &residual->operand : nullptr,
                    output.operand, tools_),
       used);
  if (residual) mayOverwrite(residual->operand, output.operand, std::span(&input.operand, 1));
  if (keep) {
    compacts_.emplace(std::pair(fused.result.index(), kind), output);
    return {};
  }
  Operand result = output.operand;
  if (shape.rank() != 4) {
    result.layout = rowMajor(shape);
  }
  define(fused.result, result);
  return {};
}

/// A first layer whose results only integers are made of: of planes in integers where the processor
/// multiplies them and their range is known, in f32 otherwise.
Status Lowering::emitPlanarIntegers(const ConvProblem& problem, ValueId planes,
                                    const Fused& fused) {
  const Operand input = operandOf(planes);
  const Shape& shape = graph_.shape(fused.result);
  const Scaled output = newScaled(fused.result, shape, Compact::integers);
  CompactConv conv;
  conv.problem = problem;
  conv.problem.output = output.operand.layout;
  conv.problem.store = store_;
  conv.output = output.map();
  const QuadKernels* quads = quadKernels();
  const auto range = rangeOf(planes);
  std::unique_ptr<ByteKernel> kernel;
  if (quads != nullptr && range) {
    const IntegerForm form = unsignedForm(*range);
    conv.input = {input.layout, form.dtype, form.scale, form.zero};
    kernel = makePlanarQuads(conv, *quads);
  } else {
    conv.input = {input.layout, input.dtype, 1, 0};
    kernel = makePlanarBytes(conv, tools_.kernels);
  }
  emit(makeByteStep(std::move(kernel), input, nullptr, output.operand, tools_),
       std::array{input, output.operand});
  compacts_.emplace(std::pair(fused.result.index(), Compact::integers), output);
  return {};
}

}  // namespace narrows::executor
