#include "narrows/engine/executor/random_graph.h"

#include <algorithm>
#include <array>

namespace narrows::executor {
namespace {

constexpr std::int64_t kMostElements = 40000;

}  // namespace

Tensor RandomGraph::tensor(const Shape& shape, float scale) {
  Tensor made(DType::f32, shape);
  std::uniform_real_distribution<float> draw(-scale, scale);
  for (float& value : made.mutableAs<float>()) value = draw(random_);
  return made;
}

std::vector<Tensor> RandomGraph::inputs(const Graph& graph) {
  std::vector<Tensor> made;
  for (ValueId id : graph.inputs()) made.push_back(tensor(graph.shape(id), 1));
  return made;
}

Graph RandomGraph::draw(std::size_t nodes) {
  Graph graph;
  values_.clear();
  const std::int64_t batch = chance(20) ? 2 : 1;
  const Shape shape{batch, 1 + below(20), 3 + below(12), 3 + below(14)};
  values_.push_back(graph.addInput("x", {DType::f32, shape}));
  if (chance(30)) values_.push_back(graph.addInput("y", {DType::f32, shape}));
  for (std::size_t tries = 0; graph.nodeCount() < nodes && tries < nodes * 20; ++tries) {
    grow(graph);
  }
  std::vector<ValueId> outputs;
  for (ValueId id : values_) {
    const bool unread = graph.consumers(id).empty() && !graph.isInput(id);
    if (unread || chance(15)) outputs.push_back(id);
  }
  if (outputs.empty()) outputs.push_back(values_.back());
  NARROWS_ASSERT(graph.setOutputs(outputs).ok());
  return graph;
}

ValueId RandomGraph::anyMap(const Graph& graph) {
  // The newest values most often, so that chains grow.
  for (int tries = 0; tries < 50; ++tries) {
    const std::int64_t back = std::min(below(count()), below(count()));
    const ValueId id = values_[static_cast<std::size_t>(count() - 1 - back)];
    if (graph.shape(id).rank() == 4) return id;
  }
  return values_[0];
}

bool RandomGraph::keep(Graph& graph, Result<ValueId> value) {
  if (!value.ok()) return false;
  const std::int64_t elements = graph.type(*value).elements();
  if (elements > kMostElements) return true;  // grown too large to build on
  values_.push_back(*value);
  return true;
}

Window2d RandomGraph::window(const Shape& shape, bool pool) {
  Window2d made;
  const std::int64_t sizes[] = {1, 1, 2, 3, 3, 3, 5};
  made.kernel.h = sizes[below(7)];
  made.kernel.w = chance(75) ? made.kernel.h : sizes[below(7)];
  made.stride.h = 1 + below(2);
  made.stride.w = chance(80) ? made.stride.h : 1 + below(3);
  if (chance(20)) made.dilation = {1 + below(2), 1 + below(3)};
  const std::int64_t tall = made.dilation.h * (made.kernel.h - 1);
  const std::int64_t wide = made.dilation.w * (made.kernel.w - 1);
  if (chance(60)) {
    made.pads = {tall / 2, wide / 2, tall / 2, wide / 2};
  } else if (chance(50)) {
    made.pads = {below(tall + 1), below(wide + 1), below(tall + 1), below(wide + 1)};
  }
  if (shape[2] + made.pads.top + made.pads.bottom <= tall ||
      shape[3] + made.pads.left + made.pads.right <= wide) {
    made = Window2d{};
  }
  if (pool && made.kernel == Extent2d{1, 1}) made.pads = {};
  return made;
}

bool RandomGraph::grow(Graph& graph) {
  switch (below(24)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
      return conv(graph);
    case 7:
    case 8:
      return pool(graph);
    case 9:
    case 10:
      return activate(graph);
    case 11:
      return gate(graph);
    case 12:
    case 13:
      return join(graph);
    case 14:
    case 15:
    case 16:
      return arithmetic(graph);
    case 17:
      return slice(graph);
    case 18:
      return shuffle(graph);
    case 19:
      return rearrange(graph);
    case 20:
      return resample(graph);
    case 21:
      return pad(graph);
    case 22:
      return chance(50) ? product(graph) : normalise(graph);
    default:
      return reduce(graph);
  }
}

bool RandomGraph::conv(Graph& graph) {
  const ValueId x = anyMap(graph);
  const Shape shape = graph.shape(x);
  if (chance(6)) {
    ConvTranspose2d op;
    op.window.kernel = {2 + below(2), 2 + below(2)};
    op.window.stride = {1 + below(2), 1 + below(2)};
    const Shape weights{shape[1], 1 + below(6), op.window.kernel.h, op.window.kernel.w};
    return keep(graph, graph.add(op, {x, graph.addConstant("w", tensor(weights, 0.5F))}));
  }
  Conv2d op;
  op.window = window(shape, false);
  std::int64_t outputs = 1 + below(chance(20) ? 70 : 24);
  if (chance(30)) {
    op.groups = shape[1];
    outputs = shape[1] * (chance(80) ? 1 : 2);
  } else if (chance(20)) {
    for (std::int64_t groups : {2, 3, 4}) {
      if (shape[1] % groups == 0) op.groups = groups;
    }
    outputs = op.groups * (1 + below(8));
  }
  const Shape weights{outputs, shape[1] / op.groups, op.window.kernel.h, op.window.kernel.w};
  std::vector<ValueId> operands{x, graph.addConstant("w", tensor(weights, 0.5F))};
  if (chance(70)) operands.push_back(graph.addConstant("b", tensor(Shape{outputs}, 0.5F)));
  auto made = graph.add(op, operands);
  if (!keep(graph, std::move(made))) return false;
  if (chance(60)) activate(graph);
  return true;
}

bool RandomGraph::pool(Graph& graph) {
  const ValueId x = anyMap(graph);
  if (chance(15)) {
    return keep(
        graph,
        graph.add(GlobalPool{chance(50) ? GlobalPoolKind::max : GlobalPoolKind::average}, {x}));
  }
  const Window2d shape = window(graph.shape(x), true);
  if (chance(50)) return keep(graph, graph.add(MaxPool2d{shape, chance(40)}, {x}));
  return keep(graph, graph.add(AveragePool2d{shape, chance(40), chance(50)}, {x}));
}

bool RandomGraph::activate(Graph& graph) {
  const ValueId x = values_.back();
  switch (below(9)) {
    case 0:
      return keep(graph, graph.add(LeakyRelu{0.1}, {x}));
    case 1:
      return keep(graph, graph.add(Clip{0, 6}, {x}));
    case 2:
      return keep(graph, graph.add(Clip{-0.25, 0.5}, {x}));
    case 3:
      return keep(graph, graph.add(HardSigmoid{}, {x}));
    case 4:
      return keep(graph, graph.add(Elu{}, {x}));
    case 5: {
      const UnaryKind kinds[] = {UnaryKind::sigmoid, UnaryKind::silu, UnaryKind::hard_swish,
                                 UnaryKind::tanh,    UnaryKind::mish, UnaryKind::abs};
      return keep(graph, graph.add(Unary{kinds[below(6)]}, {x}));
    }
    case 6: {
      const Shape& shape = graph.shape(x);
      if (shape.rank() != 4) return false;
      const ValueId slope = graph.addConstant("slope", tensor(Shape{shape[1], 1, 1}, 1));
      return keep(graph, graph.add(PRelu{}, {x, slope}));
    }
    default:
      return keep(graph, graph.add(Unary{UnaryKind::relu}, {x}));
  }
}

bool RandomGraph::gate(Graph& graph) {
  const ValueId x = values_.back();
  const auto gated = chance(70) ? graph.add(Unary{UnaryKind::sigmoid}, {x})
                                : graph.add(HardSigmoid{1.0 / 6.0, 0.5}, {x});
  if (!gated.ok()) return false;
  const bool swapped = chance(50);
  return keep(graph,
              graph.add(Binary{BinaryKind::mul}, {swapped ? *gated : x, swapped ? x : *gated}));
}

bool RandomGraph::join(Graph& graph) {
  const ValueId first = anyMap(graph);
  const Shape& shape = graph.shape(first);
  const std::int64_t axis = chance(75) ? 1 : 1 + below(3);
  std::vector<ValueId> fitting;
  for (ValueId id : values_) {
    const Shape& other = graph.shape(id);
    bool fits = other.rank() == 4;
    for (std::int64_t i = 0; fits && i < 4; ++i)
      fits = i == axis || other[static_cast<std::size_t>(i)] == shape[static_cast<std::size_t>(i)];
    if (fits) fitting.push_back(id);
  }
  std::vector<ValueId> parts{first};
  const std::int64_t more = 1 + below(3);
  for (std::int64_t i = 0; i < more; ++i)
    parts.push_back(
        fitting[static_cast<std::size_t>(below(static_cast<std::int64_t>(fitting.size())))]);
  return keep(graph, graph.add(Concat{axis}, parts));
}

bool RandomGraph::arithmetic(Graph& graph) {
  const ValueId a = values_.back();
  const BinaryKind kinds[] = {BinaryKind::add, BinaryKind::add, BinaryKind::mul, BinaryKind::sub,
                              BinaryKind::max};
  const BinaryKind kind = kinds[below(5)];
  if (chance(25)) {
    const Shape& shape = graph.shape(a);
    const Shape other = shape.rank() == 4 && chance(50) ? Shape{shape[1], 1, 1} : Shape{};
    const ValueId b = graph.addConstant("k", tensor(other, 1));
    return keep(graph, graph.add(Binary{kind}, chance(70) ? std::vector{a, b} : std::vector{b, a}));
  }
  std::vector<ValueId> fitting;
  for (ValueId id : values_) {
    if (broadcast(graph.shape(a), graph.shape(id)).ok()) fitting.push_back(id);
  }
  const ValueId b =
      fitting[static_cast<std::size_t>(below(static_cast<std::int64_t>(fitting.size())))];
  const bool kept = keep(graph, graph.add(Binary{kind}, {a, b}));
  if (kept && chance(40)) activate(graph);
  return kept;
}

bool RandomGraph::slice(Graph& graph) {
  const ValueId x = anyMap(graph);
  const Shape& shape = graph.shape(x);
  if (shape[1] > 1 && chance(40)) {
    const std::int64_t first = 1 + below(shape[1] - 1);
    const auto node = graph.addNode(Split{1, {first, shape[1] - first}}, {x});
    if (!node.ok()) return false;
    for (ValueId part : graph.node(*node).outputs) values_.push_back(part);
    return true;
  }
  Slice op;
  for (std::size_t axis = 0; axis < 4; ++axis) {
    const std::int64_t step = axis > 0 && chance(30) ? (chance(70) ? 2 : -1) : 1;
    const std::int64_t start = axis == 0 || chance(50) ? 0 : below(shape[axis]);
    const std::int64_t room = step > 0 ? (shape[axis] - 1 - start) / step + 1 : start + 1;
    op.starts.push_back(start);
    op.steps.push_back(step);
    op.lengths.push_back(room);
  }
  return keep(graph, graph.add(op, {x}));
}

bool RandomGraph::shuffle(Graph& graph) {
  const ValueId x = anyMap(graph);
  const Shape shape = graph.shape(x);
  if (shape[1] % 2 != 0) return false;
  const auto grouped = graph.add(Reshape{{shape[0] * shape[1] / 2, 2, shape[2] * shape[3]}}, {x});
  const auto turned = graph.add(Transpose{{1, 0, 2}}, {*grouped});
  const auto halves =
      graph.add(Reshape{{2, shape[0], shape[1] / 2, shape[2], shape[3]}}, {*turned});
  for (std::int64_t half : {0, 1}) {
    const ValueId index = graph.addConstant("half", Tensor::scalar<std::int64_t>(half));
    keep(graph, graph.add(Gather{0}, {*halves, index}));
  }
  return true;
}

bool RandomGraph::rearrange(Graph& graph) {
  const ValueId x = anyMap(graph);
  const Shape shape = graph.shape(x);
  switch (below(6)) {
    case 0: {
      const auto turned = graph.add(Transpose{{0, 2, 3, 1}}, {x});
      return keep(graph, graph.add(Reshape{{shape[0], shape[2] * shape[3], shape[1]}}, {*turned}));
    }
    case 1:
      return keep(graph, graph.add(Transpose{{0, 1, 3, 2}}, {x}));
    case 2:
      return keep(graph, graph.add(Reshape{{shape[0], shape[1] * shape[2], shape[3], 1}}, {x}));
    case 3:
      return keep(graph, graph.add(Reshape{{shape[0], shape.elements() / shape[0]}}, {x}));
    case 4:
      return keep(graph, graph.add(SpaceToDepth{2}, {x}));
    default:
      return keep(graph, graph.add(DepthToSpace{2}, {x}));
  }
}

bool RandomGraph::resample(Graph& graph) {
  const ValueId x = anyMap(graph);
  const Shape shape = graph.shape(x);
  Resize op;
  op.mode = chance(70) ? ResizeMode::nearest : ResizeMode::linear;
  op.coordinates = chance(50) ? ResizeCoordinates::asymmetric : ResizeCoordinates::half_pixel;
  op.rounding = chance(50) ? ResizeRounding::floor : ResizeRounding::round_prefer_floor;
  const double scale = chance(70) ? 2.0 : 1.5;
  op.scales = {1, 1, scale, scale};
  op.sizes = {shape[0], shape[1], static_cast<std::int64_t>(static_cast<double>(shape[2]) * scale),
              static_cast<std::int64_t>(static_cast<double>(shape[3]) * scale)};
  return keep(graph, graph.add(op, {x}));
}

bool RandomGraph::pad(Graph& graph) {
  const ValueId x = anyMap(graph);
  Pad op;
  if (chance(20)) op.mode = PadMode::edge;
  op.before = {0, below(3), below(3), below(3)};
  op.after = {0, below(3), below(3), chance(20) ? -1 : below(3)};
  op.value = chance(50) ? 0 : 0.5;
  return keep(graph, graph.add(op, {x}));
}

bool RandomGraph::product(Graph& graph) {
  const ValueId x = anyMap(graph);
  const Shape shape = graph.shape(x);
  const std::int64_t inputs = shape.elements() / shape[0];
  if (inputs > 3000) return false;
  const auto flat = graph.add(Reshape{{shape[0], inputs}}, {x});
  if (!flat.ok()) return false;
  const std::int64_t outputs = 1 + below(40);
  if (chance(30)) {
    const ValueId b = graph.addConstant("w", tensor(Shape{inputs, outputs}, 0.2F));
    return keep(graph, graph.add(MatMul{}, {*flat, b}));
  }
  const bool transposed = chance(50);
  const Shape weights = transposed ? Shape{outputs, inputs} : Shape{inputs, outputs};
  std::vector<ValueId> operands{*flat, graph.addConstant("w", tensor(weights, 0.2F))};
  if (chance(70)) {
    operands.push_back(
        graph.addConstant("c", tensor(chance(70) ? Shape{outputs} : Shape{1}, 0.5F)));
  }
  const bool kept = keep(graph, graph.add(Gemm{false, transposed, 0.75, 1.5}, operands));
  if (kept && chance(40)) activate(graph);
  return kept;
}

bool RandomGraph::normalise(Graph& graph) {
  const ValueId x = anyMap(graph);
  const std::int64_t channels = graph.shape(x)[1];
  if (chance(40)) return keep(graph, graph.add(Softmax{1 + below(3), chance(30)}, {x}));
  if (chance(30)) return keep(graph, graph.add(LocalResponseNorm{}, {x}));
  Tensor variance = tensor(Shape{channels}, 0.5F);
  for (float& value : variance.mutableAs<float>()) value += 1;
  return keep(graph,
              graph.add(BatchNorm{}, {x, graph.addConstant("scale", tensor(Shape{channels}, 1)),
                                      graph.addConstant("bias", tensor(Shape{channels}, 1)),
                                      graph.addConstant("mean", tensor(Shape{channels}, 1)),
                                      graph.addConstant("variance", std::move(variance))}));
}

bool RandomGraph::reduce(Graph& graph) {
  const ValueId x = anyMap(graph);
  const ReduceKind kinds[] = {ReduceKind::mean, ReduceKind::sum, ReduceKind::max};
  const Ints axes = chance(50) ? Ints{2, 3} : Ints{1 + below(3)};
  return keep(graph, graph.add(Reduce{kinds[below(3)], axes, chance(70)}, {x}));
}

}  // namespace narrows::executor
