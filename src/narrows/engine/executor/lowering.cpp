#include "narrows/engine/executor/lowering.h"

#include <algorithm>
#include <array>

namespace narrows::executor {
namespace {

bool hasForm(const Layout& layout, Form form) {
  switch (form) {
    case Form::row_major:
      return isRowMajor(layout);
    case Form::map:
      return isMap(layout);
    case Form::dense_map:
      return isDenseMap(layout);
  }
  return false;
}

Layout denseForm(const Shape& shape, Form form) {
  return form == Form::row_major ? rowMajor(shape) : channelsLast(shape, shape[1]);
}

Slice channelSlice(const Shape& shape, std::int64_t first, std::int64_t count) {
  Slice slice{{0, first, 0, 0}, {shape[0], count, shape[2], shape[3]}, {1, 1, 1, 1}};
  return slice;
}

}  // namespace

Lowering::Lowering(const Graph& graph, std::shared_ptr<const Backend> backend, WeightStore& store,
                   const KernelTable& kernels, Team& team, const EngineOptions& options)
    : graph_(graph),
      shared_backend_(std::move(backend)),
      backend_(*shared_backend_),
      store_(&store),
      options_(options),
      tools_{kernels, team},
      fusion_(graph),
      operands_(graph.valueCount()),
      places_(graph.valueCount()),
      in_concat_(graph.valueCount(), false),
      streamed_(graph.nodeCount(), false),
      compact_(graph.nodeCount(), Compact::none) {}

Result<ProgramParts> Lowering::run() && {
  for (std::size_t i = 0; i < graph_.inputs().size(); ++i) {
    const ValueId id = graph_.inputs()[i];
    const TensorType& type = graph_.type(id);
    parts_.input_types.push_back(type);
    const BufferId buffer = addBuffer({BufferKind::input, i, nullptr, type.bytes()});
    operands_[id.index()] = Operand{buffer, type.dtype, rowMajor(type.shape)};
  }
  for (std::size_t i = 0; i < graph_.outputs().size(); ++i) {
    const TensorType& type = graph_.type(graph_.outputs()[i]);
    parts_.output_types.push_back(type);
    const BufferId buffer = addBuffer({BufferKind::output, i, nullptr, type.bytes()});
    places_[graph_.outputs()[i].index()] = Operand{buffer, type.dtype, rowMajor(type.shape)};
  }
  chooseStreamed();
  chooseCompact();
  planConcats();
  for (NodeId id : nodeIds(graph_)) {
    if (fusion_.absorbed(id)) continue;
    NARROWS_CHECK(lowerNode(fusion_.headEndingAt(id))
                      .within(fmt::format("node \"{}\"", graph_.node(id).name)));
  }
  finishOutputs();
  parts_.overread = backend_.overread();
  return std::move(parts_);
}

BufferId Lowering::addBuffer(Buffer buffer) {
  parts_.buffers.push_back(std::move(buffer));
  return BufferId(parts_.buffers.size() - 1);
}

Operand Lowering::newOperand(DType dtype, const Layout& layout) {
  const auto bytes = static_cast<std::size_t>(layout.shape.elements()) * byteSize(dtype);
  return {addBuffer({BufferKind::arena, 0, nullptr, bytes}), dtype, layout};
}

void Lowering::touch(const Operand& operand) {
  Buffer& buffer = parts_.buffers[operand.buffer.index()];
  if (!buffer.used) buffer.first = parts_.steps.size();
  buffer.used = true;
  buffer.last = parts_.steps.size();
}

void Lowering::emit(std::unique_ptr<Step> step, std::span<const Operand> operands) {
  for (const Operand& operand : operands) touch(operand);
  parts_.steps.push_back(std::move(step));
  parts_.part_of_step.push_back(partOf(current_));
}

void Lowering::mayOverwrite(const Operand& source, const Operand& result,
                            std::span<const Operand> others) {
  const auto& from = parts_.buffers[source.buffer.index()];
  const auto& to = parts_.buffers[result.buffer.index()];
  const bool alike = byteSize(source.dtype) == byteSize(result.dtype) &&
                     source.shape() == result.shape() &&
                     source.layout.strides == result.layout.strides &&
                     source.layout.offset == result.layout.offset && from.bytes == to.bytes;
  const bool alone = source.buffer != result.buffer &&
                     std::none_of(others.begin(), others.end(), [&](const Operand& other) {
                       return other.buffer == source.buffer;
                     });
  if (alike && alone && from.kind == BufferKind::arena && to.kind == BufferKind::arena)
    parts_.overwrites.push_back({parts_.steps.size() - 1, source.buffer, result.buffer});
}

// Copies of results of no node (an input that is an output) count as nobody's: a part without
// nodes.
std::size_t Lowering::partOf(NodeId head) {
  const std::size_t key = head.valid() ? head.index() : graph_.nodeCount();
  const auto [entry, added] = part_of_.emplace(key, parts_.parts.size());
  if (added) {
    ProgramPart part;
    if (head.valid()) {
      for (NodeId id : fusion_.fused(head).nodes) part.nodes.push_back(graph_.node(id).name);
    }
    parts_.parts.push_back(std::move(part));
  }
  return entry->second;
}

void Lowering::copy(const Operand& source, const Operand& target) {
  if (source.shape().elements() == 0) return;
  emit(makeCopy(source, target, tools_), std::array{source, target});
}

const Operand& Lowering::operandOf(ValueId id) {
  auto& operand = operands_[id.index()];
  const Scaled* scaled = nullptr;
  for (Compact kind : {Compact::bfloat, Compact::integers}) {
    if (!operand && scaled == nullptr) scaled = knownCompact(id, kind);
  }
  if (scaled != nullptr) {
    const Operand made = newOperand(DType::f32, scaled->operand.layout);
    // Integers of a map that was made for them; a map of f32 is made of it likewise.
    NARROWS_ASSERT(emitRescale(*scaled, {made, 1, 0}).ok());
    operand = made;
    operand->layout = rowMajor(graph_.shape(id));
    if (graph_.shape(id).rank() == 4) operand->layout = made.layout;
  }
  if (!operand) {
    const Value& value = graph_.value(id);
    NARROWS_ASSERT(value.isConstant());
    const BufferId buffer =
        addBuffer({BufferKind::constant, 0, value.constant, value.type.bytes()});
    operand = Operand{buffer, value.type.dtype, rowMajor(value.type.shape)};
  }
  return *operand;
}

Operand Lowering::inForm(ValueId id, Form form) {
  const Operand source = operandOf(id);
  if (hasForm(source.layout, form)) return source;
  const auto known = converted_.find({id.index(), form});
  if (known != converted_.end()) return known->second;
  const Operand made = newOperand(source.dtype, denseForm(source.shape(), form));
  copy(source, made);
  converted_.emplace(std::pair(id.index(), form), made);
  return made;
}

void Lowering::define(ValueId id, const Operand& operand) {
  operands_[id.index()] = operand;
  const auto& place = places_[id.index()];
  // Outputs are filled at the end, when no step can still move them.
  if (!place || place->buffer == operand.buffer ||
      parts_.buffers[place->buffer.index()].kind == BufferKind::output) {
    return;
  }
  copy(operand, *place);
  if (hasForm(operand.layout, Form::dense_map)) {
    converted_.emplace(std::pair(id.index(), Form::dense_map), operand);
  }
  operands_[id.index()] = *place;
}

Operand Lowering::target(ValueId id, const Layout& wish) {
  const auto& place = places_[id.index()];
  if (place) return *place;
  return newOperand(graph_.type(id).dtype, wish);
}

Operand Lowering::mapTarget(ValueId id) {
  const auto& place = places_[id.index()];
  if (place && isMap(place->layout)) return *place;
  const Shape& shape = graph_.shape(id);
  return newOperand(DType::f32, channelsLast(shape, shape[1]));
}

// The last concatenation first, so that one inside another lands in the outer one's buffer.
void Lowering::planConcats() {
  for (std::size_t n = graph_.nodeCount(); n-- > 0;) {
    const Node& node = graph_.node(NodeId(n));
    const auto* concat = std::get_if<Concat>(&node.op);
    const ValueId joint = node.outputs.empty() ? ValueId() : node.outputs[0];
    if (concat == nullptr || concat->axis != 1 || graph_.shape(joint).rank() != 4 ||
        graph_.type(joint).dtype != DType::f32) {
      continue;
    }
    const auto& place = places_[joint.index()];
    if (!place || !isMap(place->layout)) {
      const Shape& shape = graph_.shape(joint);
      places_[joint.index()] = newOperand(DType::f32, channelsLast(shape, shape[1]));
    }
    const Operand whole = *places_[joint.index()];
    std::int64_t channel = 0;
    for (ValueId input : node.inputs) {
      const std::int64_t count = graph_.shape(input)[1];
      if (canWriteSlices(input)) {
        places_[input.index()] =
            Operand{whole.buffer, DType::f32,
                    sliced(whole.layout, channelSlice(whole.shape(), channel, count))};
        in_concat_[input.index()] = true;
      }
      channel += count;
    }
  }
}

bool Lowering::canWriteSlices(ValueId id) const {
  const Value& value = graph_.value(id);
  if (!value.producer.valid() || value.type.elements() == 0) return false;
  if (in_concat_[id.index()]) return false;
  const Op& op = graph_.node(value.producer).op;
  return std::holds_alternative<Conv2d>(op) || std::holds_alternative<MaxPool2d>(op) ||
         std::holds_alternative<AveragePool2d>(op) || std::holds_alternative<Binary>(op) ||
         std::holds_alternative<Resize>(op) || std::holds_alternative<Concat>(op) ||
         activationOf(op).has_value();
}

void Lowering::finishOutputs() {
  for (std::size_t i = 0; i < graph_.outputs().size(); ++i) {
    const ValueId id = graph_.outputs()[i];
    const NodeId producer = graph_.value(id).producer;
    current_ = producer.valid() ? fusion_.headEndingAt(producer) : NodeId();
    const Operand source = operandOf(id);
    const Buffer& buffer = parts_.buffers[source.buffer.index()];
    if (buffer.kind == BufferKind::output && buffer.index == i) continue;
    const BufferId output(graph_.inputs().size() + i);
    copy(source, {output, source.dtype, rowMajor(source.shape())});
  }
}

bool Lowering::isEmpty(const Node& node) const {
  return std::all_of(node.outputs.begin(), node.outputs.end(),
                     [&](ValueId output) { return graph_.type(output).elements() == 0; });
}

Status Lowering::lowerNode(NodeId id) {
  const Node& node = graph_.node(id);
  current_ = id;
  if (isEmpty(node)) {
    for (ValueId output : node.outputs)
      define(output, newOperand(graph_.type(output).dtype, rowMajor(graph_.shape(output))));
    return {};
  }
  if (hasEpilogue(graph_, node)) {
    if (const auto* conv = std::get_if<Conv2d>(&node.op))
      return lowerConv(node, *conv, fusion_.fused(id));
    if (const auto* gemm = std::get_if<Gemm>(&node.op))
      return lowerProduct(node, fusion_.fused(id), gemm->transpose_b, gemm->alpha, gemm->beta);
    return lowerProduct(node, fusion_.fused(id), false, 1, 1);
  }
  if (lowerView(node)) return {};
  if (const auto* concat = std::get_if<Concat>(&node.op)) return lowerConcat(node, *concat);
  const bool f32 = !node.inputs.empty() && graph_.type(node.outputs[0]).dtype == DType::f32 &&
                   std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) {
                     return input.valid() && graph_.type(input).dtype == DType::f32;
                   });
  if (!f32) return lowerFallback(node);
  if (const auto activation = activationOf(node.op)) return lowerActivation(node, *activation);
  if (const auto* binary = std::get_if<Binary>(&node.op); binary && hasBinary(binary->kind))
    return lowerBinary(node, *binary);
  if (const auto* pool = std::get_if<MaxPool2d>(&node.op)) {
    for (Compact kind : {Compact::integers, Compact::bfloat}) {
      const Scaled* stored = knownCompact(node.inputs[0], kind);
      if (stored == nullptr || !poolsCompact(node, kind)) continue;
      const Shape& shape = graph_.shape(node.outputs[0]);
      const Scaled x = *stored;
      const Scaled y{newOperand(x.operand.dtype, channelsLast(shape, shape[1])), x.scale, x.zero};
      emit(makeCompactPool(pool->window, x.operand, y.operand, tools_),
           std::array{x.operand, y.operand});
      compacts_.emplace(std::pair(node.outputs[0].index(), kind), y);
      return {};
    }
    const Operand x = inForm(node.inputs[0], Form::map);
    const Operand y = mapTarget(node.outputs[0]);
    emit(makeMaxPool(pool->window, x, y, tools_), std::array{x, y});
    define(node.outputs[0], y);
    return {};
  }
  if (const auto* pool = std::get_if<AveragePool2d>(&node.op)) {
    const Operand x = inForm(node.inputs[0], Form::map);
    const Operand y = mapTarget(node.outputs[0]);
    emit(makeAveragePool(pool->window, pool->count_pads, x, y, tools_), std::array{x, y});
    define(node.outputs[0], y);
    return {};
  }
  if (const auto* pool = std::get_if<GlobalPool>(&node.op);
      pool && graph_.shape(node.inputs[0]).rank() == 4) {
    const Operand x = inForm(node.inputs[0], Form::map);
    const Operand y = mapTarget(node.outputs[0]);
    emit(makeGlobalPool(pool->kind, x, y, tools_), std::array{x, y});
    define(node.outputs[0], y);
    return {};
  }
  if (std::holds_alternative<MatMul>(node.op) && lowerDynamicProduct(node)) return {};
  if (const auto* pad = std::get_if<Pad>(&node.op); pad && lowerPad(node, *pad)) return {};
  if (const auto* resize = std::get_if<Resize>(&node.op); resize && lowerResize(node, *resize))
    return {};
  if (const auto* softmax = std::get_if<Softmax>(&node.op)) {
    const Operand x = operandOf(node.inputs[0]);
    const Operand y = target(node.outputs[0], denseLike(x.shape(), x.layout));
    emit(makeSoftmax(*softmax, x, y, tools_), std::array{x, y});
    define(node.outputs[0], y);
    return {};
  }
  return lowerFallback(node);
}

Status Lowering::lowerFallback(const Node& node) {
  std::vector<Operand> inputs;
  inputs.reserve(node.inputs.size());
  std::vector<const Operand*> pointers;
  for (ValueId input : node.inputs) {
    if (input.valid()) {
      inputs.push_back(inForm(input, Form::row_major));
      pointers.push_back(&inputs.back());
    } else {
      pointers.push_back(nullptr);
    }
  }
  std::vector<Operand> outputs;
  for (ValueId output : node.outputs) {
    const auto& place = places_[output.index()];
    outputs.push_back(place && isRowMajor(place->layout)
                          ? *place
                          : newOperand(graph_.type(output).dtype, rowMajor(graph_.shape(output))));
  }
  NARROWS_TRY(step, makeReferenceStep(node.op, pointers, outputs));
  std::vector<Operand> used = inputs;
  used.insert(used.end(), outputs.begin(), outputs.end());
  emit(std::move(step), used);
  for (std::size_t i = 0; i < outputs.size(); ++i) define(node.outputs[i], outputs[i]);
  return {};
}

Status Lowering::lowerActivation(const Node& node, const Activation& activation) {
  const Operand x = operandOf(node.inputs[0]);
  const Operand y = target(node.outputs[0], denseLike(x.shape(), x.layout));
  emit(makeActivation(activation, x, y, tools_), std::array{x, y});
  mayOverwrite(x, y, {});
  define(node.outputs[0], y);
  return {};
}

Status Lowering::lowerBinary(const Node& node, const Binary& op) {
  Operand a = operandOf(node.inputs[0]);
  Operand b = operandOf(node.inputs[1]);
  const Shape& shape = graph_.shape(node.outputs[0]);
  a.layout = broadcastTo(a.layout, shape);
  b.layout = broadcastTo(b.layout, shape);
  // The result is laid out as the operand that fills it; a constant is never worth following.
  const bool a_fills = graph_.shape(node.inputs[0]) == shape;
  const bool b_fills = graph_.shape(node.inputs[1]) == shape;
  const bool follow_a = a_fills && (!b_fills || !graph_.value(node.inputs[0]).isConstant());
  Layout wish = rowMajor(shape);
  if (follow_a) {
    wish = denseLike(shape, a.layout);
  } else if (b_fills) {
    wish = denseLike(shape, b.layout);
  }
  const Operand y = target(node.outputs[0], wish);
  emit(makeBinary(op.kind, {}, a, b, y, tools_), std::array{a, b, y});
  mayOverwrite(a, y, std::span(&b, 1));
  mayOverwrite(b, y, std::span(&a, 1));
  define(node.outputs[0], y);
  return {};
}

Status Lowering::lowerConcat(const Node& node, const Concat& op) {
  const ValueId joint = node.outputs[0];
  const Shape& shape = graph_.shape(joint);
  const Operand whole = target(joint, rowMajor(shape));
  Slice slice{Ints(shape.rank(), 0), Ints(shape.extents().begin(), shape.extents().end()),
              Ints(shape.rank(), 1)};
  const auto axis = static_cast<std::size_t>(op.axis);
  for (ValueId input : node.inputs) {
    slice.lengths[axis] = graph_.shape(input)[axis];
    if (slice.lengths[axis] > 0) {
      const Operand part{whole.buffer, whole.dtype, sliced(whole.layout, slice)};
      const Operand source = operandOf(input);
      if (source.buffer != whole.buffer || source.layout.offset != part.layout.offset ||
          !in_concat_[input.index()]) {
        copy(source, part);
      } else {
        touch(part);
      }
    }
    slice.starts[axis] += slice.lengths[axis];
  }
  define(joint, whole);
  return {};
}

bool Lowering::lowerPad(const Node& node, const Pad& op) {
  const auto negative = [](std::int64_t amount) { return amount < 0; };
  if (op.mode != PadMode::constant || std::any_of(op.before.begin(), op.before.end(), negative) ||
      std::any_of(op.after.begin(), op.after.end(), negative)) {
    return false;
  }
  const Operand x = operandOf(node.inputs[0]);
  const Shape& shape = graph_.shape(node.outputs[0]);
  const Operand y = target(node.outputs[0], denseLike(shape, x.layout));
  emit(makeFill(y, static_cast<float>(op.value), tools_), std::array{y});
  const Slice inside{op.before, Ints(x.shape().extents().begin(), x.shape().extents().end()),
                     Ints(shape.rank(), 1)};
  if (x.shape().elements() > 0) copy(x, {y.buffer, y.dtype, sliced(y.layout, inside)});
  define(node.outputs[0], y);
  return true;
}

Result<ProgramParts> lower(const Graph& graph, std::shared_ptr<const Backend> backend,
                           WeightStore& store, const KernelTable& kernels, Team& team,
                           const EngineOptions& options) {
  return Lowering(graph, std::move(backend), store, kernels, team, options).run();
}

}  // namespace narrows::executor
