#include "narrows/graph/random_graph.h"

#include <cmath>
#include <random>

namespace narrows {
namespace {

class Builder {
 public:
  Builder(std::uint32_t seed, const RandomGraphOptions& options)
      : random_(seed), options_(options) {
    graph_.name = fmt::format("random{}", seed);
  }

  Graph build() {
    for (std::size_t i = 0; i < options_.inputs; ++i) {
      const TensorType type{DType::f32, Shape{1, pick(1, 4), pick(4, 9), pick(4, 9)}};
      maps_.push_back(graph_.addInput(fmt::format("x{}", i), type));
    }
    while (graph_.nodeCount() < options_.nodes) addNode();
    chooseOutputs();
    return std::move(graph_);
  }

 private:
  std::int64_t pick(std::int64_t least, std::int64_t most) {
    return least +
           static_cast<std::int64_t>(random_() % static_cast<std::uint32_t>(most - least + 1));
  }
  bool chance(std::uint32_t percent) { return random_() % 100 < percent; }

  /// A recent map more often than an old one, so that graphs grow long.
  ValueId pickMap() {
    const std::size_t recent = std::min<std::size_t>(maps_.size(), 3);
    if (chance(70)) return maps_[maps_.size() - 1 - random_() % recent];
    return maps_[random_() % maps_.size()];
  }

  ValueId constant(Shape shape, float low, float high) {
    Tensor tensor(DType::f32, shape);
    for (float& element : tensor.mutableAs<float>()) {
      element = low + (high - low) * static_cast<float>(random_() >> 8) * 0x1p-24F;
    }
    return graph_.addConstant(fmt::format("c{}", graph_.valueCount()), std::move(tensor));
  }

  void keep(Result<ValueId> value) {
    NARROWS_ASSERT(value.ok());
    maps_.push_back(*value);
  }

  void addNode() {
    switch (pick(0, options_.all_operators ? 17 : 8)) {
      case 0:
      case 1:
        return addConv(pickMap(), pick(1, 6));
      case 2:
        return addActivation();
      case 3:
        return addPool();
      case 4:
        return addJoin(true);
      case 5:
        return addJoin(false);
      case 6:
        return addSplit();
      case 7:
        return addReshape();
      case 8:
        return keep(graph_.add(Identity{}, {pickMap()}));
      case 9:
        return addBatchNorm();
      case 10:
        return addPad();
      case 11:
        return addResize();
      case 12:
        return addConvTranspose();
      case 13:
        return addSlice();
      case 14:
        return addTranspose();
      case 15:
        return addScale();
      case 16:
        return keep(graph_.add(Softmax{pick(1, 3), chance(20)}, {pickMap()}));
      default:
        return addReduce();
    }
  }

  void addConv(ValueId x, std::int64_t out_channels) {
    const Shape& shape = graph_.shape(x);
    Conv2d conv;
    const std::int64_t kernel = shape[2] >= 3 && shape[3] >= 3 && chance(60) ? 3 : 1;
    conv.window.kernel = {kernel, kernel};
    if (kernel == 3 && chance(70)) conv.window.pads = {1, pick(0, 1), 1, 1};
    if (shape[2] > 4 && shape[3] > 4 && chance(25)) conv.window.stride = {2, 2};
    std::int64_t channels = shape[1];
    if (chance(25)) {  // depthwise
      conv.groups = channels;
      out_channels = channels;
      channels = 1;
    }
    const float range = 1.5F / std::sqrt(static_cast<float>(channels * kernel * kernel));
    std::vector<ValueId> inputs{x,
                                constant({out_channels, channels, kernel, kernel}, -range, range)};
    if (chance(60)) inputs.push_back(constant({out_channels}, -0.5F, 0.5F));
    keep(graph_.add(conv, std::move(inputs)));
  }

  void addActivation() {
    const ValueId x = pickMap();
    switch (pick(0, 3)) {
      case 0:
        return keep(graph_.add(Unary{UnaryKind::relu}, {x}));
      case 1:
        return keep(graph_.add(LeakyRelu{0.1}, {x}));
      case 2:
        return keep(graph_.add(Unary{UnaryKind::sigmoid}, {x}));
      default:
        return keep(graph_.add(Clip{-0.5, 0.75}, {x}));
    }
  }

  void addPool() {
    const ValueId x = pickMap();
    const Shape& shape = graph_.shape(x);
    if (shape[2] < 2 || shape[3] < 2) return;
    MaxPool2d pool;
    pool.window.kernel = {2, 2};
    if (shape[2] >= 4 && shape[3] >= 4) pool.window.stride = {2, 2};
    pool.ceil = chance(30);
    if (chance(50)) return keep(graph_.add(pool, {x}));
    keep(graph_.add(AveragePool2d{pool.window, pool.ceil, false}, {x}));
  }

  /// Addition, or concatenation of channels, with another map of a fitting size if there is one.
  void addJoin(bool addition) {
    const ValueId a = pickMap();
    const Shape& shape = graph_.shape(a);
    std::vector<ValueId> fitting;
    for (ValueId map : maps_) {
      const Shape& other = graph_.shape(map);
      const bool same_size = other[2] == shape[2] && other[3] == shape[3];
      if (map != a && same_size && (!addition || other[1] == shape[1])) fitting.push_back(map);
    }
    if (fitting.empty()) return addConv(a, pick(1, 6));
    const ValueId b = fitting[random_() % fitting.size()];
    if (addition) {
      const BinaryKind kind = chance(70) ? BinaryKind::add : BinaryKind::mul;
      return keep(graph_.add(Binary{kind}, {a, b}));
    }
    if (shape[1] + graph_.shape(b)[1] <= 24) keep(graph_.add(Concat{1}, {a, b}));
  }

  void addSplit() {
    const ValueId x = pickMap();
    const std::int64_t channels = graph_.shape(x)[1];
    if (channels < 2) return;
    const std::int64_t first = pick(1, channels - 1);
    auto node = graph_.addNode(Split{1, {first, channels - first}}, {x});
    NARROWS_ASSERT(node.ok());
    for (ValueId output : graph_.node(*node).outputs) maps_.push_back(output);
  }

  void addReshape() {
    const ValueId x = pickMap();
    const Shape shape = graph_.shape(x);
    if (shape[1] * shape[2] > 64) return;
    keep(graph_.add(Reshape{{1, shape[1] * shape[2], 1, shape[3]}}, {x}));
  }

  void addBatchNorm() {
    const ValueId x = pickMap();
    const std::int64_t channels = graph_.shape(x)[1];
    keep(graph_.add(BatchNorm{1e-3},
                    {x, constant({channels}, 0.5F, 1.5F), constant({channels}, -0.5F, 0.5F),
                     constant({channels}, -0.5F, 0.5F), constant({channels}, 0.1F, 2.0F)}));
  }

  void addPad() {
    Pad pad;
    pad.before = {0, 0, pick(0, 1), pick(0, 1)};
    pad.after = {0, 0, pick(0, 1), pick(0, 1)};
    keep(graph_.add(pad, {pickMap()}));
  }

  void addResize() {
    const ValueId x = pickMap();
    const Shape shape = graph_.shape(x);
    if (shape[2] * shape[3] > 36) return;
    Resize resize;
    resize.mode = chance(50) ? ResizeMode::nearest : ResizeMode::linear;
    resize.sizes = {1, shape[1], shape[2] * 2, shape[3] * 2};
    resize.scales = {1, 1, 2, 2};
    keep(graph_.add(resize, {x}));
  }

  void addConvTranspose() {
    const ValueId x = pickMap();
    const Shape shape = graph_.shape(x);
    if (shape[2] * shape[3] > 36) return;
    ConvTranspose2d conv;
    conv.window.kernel = {2, 2};
    conv.window.stride = {2, 2};
    const std::int64_t out_channels = pick(1, 4);
    keep(graph_.add(conv, {x, constant({shape[1], out_channels, 2, 2}, -0.5F, 0.5F)}));
  }

  void addSlice() {
    const ValueId x = pickMap();
    const Shape shape = graph_.shape(x);
    Slice slice;
    for (std::size_t axis = 0; axis < 4; ++axis) {
      const std::int64_t step = axis == 3 && chance(30) && shape[axis] > 2 ? 2 : 1;
      slice.starts.push_back(axis == 1 && shape[1] > 1 ? 1 : 0);
      slice.steps.push_back(step);
      slice.lengths.push_back((shape[axis] - slice.starts.back() + step - 1) / step);
    }
    keep(graph_.add(slice, {x}));
  }

  void addTranspose() {
    keep(graph_.add(chance(50) ? Transpose{{0, 1, 3, 2}} : Transpose{{0, 1, 2, 3}}, {pickMap()}));
  }

  void addScale() {
    const ValueId x = pickMap();
    const bool per_channel = chance(50);
    const Shape shape = per_channel ? Shape{1, graph_.shape(x)[1], 1, 1} : Shape{};
    const BinaryKind kind = chance(50) ? BinaryKind::mul : BinaryKind::add;
    keep(graph_.add(Binary{kind}, {x, constant(shape, -1, 1)}));
  }

  void addReduce() {
    if (chance(50)) return keep(graph_.add(GlobalPool{GlobalPoolKind::average}, {pickMap()}));
    keep(graph_.add(Reduce{ReduceKind::mean, {pick(1, 3)}, true}, {pickMap()}));
  }

  void chooseOutputs() {
    std::vector<ValueId> outputs;
    for (std::size_t i = graph_.valueCount(); i-- > 0;) {
      const ValueId value(i);
      if (!graph_.value(value).producer.valid()) continue;
      const bool unread = graph_.consumers(value).empty();
      if (outputs.empty() || (unread && !chance(options_.percent_unused)) || chance(4)) {
        outputs.push_back(value);
      }
    }
    NARROWS_ASSERT(graph_.setOutputs(std::move(outputs)).ok());
  }

  std::mt19937 random_;
  RandomGraphOptions options_;
  Graph graph_;
  std::vector<ValueId> maps_;
};

}  // namespace

Graph randomGraph(std::uint32_t seed, const RandomGraphOptions& options) {
  return Builder(seed, options).build();
}

Tensor randomTensor(const TensorType& type, std::uint32_t seed) {
  NARROWS_ASSERT(type.dtype == DType::f32);
  std::mt19937 random(seed);
  Tensor tensor(type);
  for (float& element : tensor.mutableAs<float>()) {
    element = static_cast<float>(random() >> 8) * 0x1p-23F - 1.0F;
  }
  return tensor;
}

std::vector<Tensor> randomInputs(const Graph& graph, std::uint32_t seed) {
  std::vector<Tensor> tensors;
  for (ValueId input : graph.inputs()) tensors.push_back(randomTensor(graph.type(input), seed++));
  return tensors;
}

}  // namespace narrows
