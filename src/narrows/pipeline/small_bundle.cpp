#include "narrows/pipeline/small_bundle.h"

#include <algorithm>
#include <random>

#include "narrows/graph/cuts.h"
#include "narrows/plan/split.h"

namespace narrows::test {
namespace {

constexpr std::int64_t kHeight = 16;
constexpr std::int64_t kWidth = 24;
constexpr std::int64_t kClasses = 3;

template <class T>
T must(Result<T> result) {
  if (!result.ok()) fmt::print(stderr, "{}\n", result.error().message);
  return std::move(*result);
}

Tensor randomTensor(Shape shape, float scale, std::mt19937_64& random) {
  Tensor tensor(DType::f32, shape);
  std::uniform_real_distribution<float> value(-scale, scale);
  for (float& element : tensor.mutableAs<float>()) element = value(random);
  return tensor;
}

Conv2d convolution(std::int64_t kernel, std::int64_t pad) {
  Conv2d conv;
  conv.window.kernel = {kernel, kernel};
  conv.window.pads = {pad, pad, pad, pad};
  return conv;
}

ValueId addConv(Graph& graph, ValueId input, const std::string& name, std::int64_t out,
                std::int64_t kernel, std::mt19937_64& random) {
  const std::int64_t in = graph.shape(input)[1];
  const ValueId weight =
      graph.addConstant(name + ".weight", randomTensor({out, in, kernel, kernel}, 0.5F, random));
  const ValueId bias = graph.addConstant(name + ".bias", randomTensor({out}, 0.2F, random));
  return must(graph.add(convolution(kernel, kernel / 2), {input, weight, bias}, name, name));
}

FeatureInterface quantized(const TensorType& type, CoderKind coder) {
  FeatureInterface interface;
  interface.type = type;
  interface.quantizer = {QuantizerKind::uniform, 4, Granularity::tensor, {-1.0F}, {0.25F}};
  interface.coder.kind = coder;
  return interface;
}

std::shared_ptr<const Bundle> bundleOf(SplitModel split, SmallHead head) {
  auto bundle = std::make_shared<Bundle>();
  bundle->name = "small";
  bundle->plan = std::move(split.plan);
  bundle->pieces = std::move(split.pieces);
  bundle->description = smallDescription(head);
  return bundle;
}

}  // namespace

Graph smallGraph(SmallHead head, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Graph graph;
  graph.name = "small";
  const ValueId image = graph.addInput("image", {DType::f32, {1, 3, kHeight, kWidth}});
  const ValueId first = addConv(graph, image, "conv1", 4, 3, random);
  const ValueId relu = must(graph.add(Unary{UnaryKind::relu}, {first}, "relu1", "relu1"));
  const ValueId left = addConv(graph, relu, "left", 4, 3, random);
  const ValueId sum = must(graph.add(Binary{BinaryKind::add}, {left, relu}, "sum", "sum"));
  ValueId output;
  if (head == SmallHead::classification) {
    const ValueId scores = addConv(graph, sum, "scores", kClasses, 1, random);
    output = must(graph.add(GlobalPool{GlobalPoolKind::average}, {scores}, "pool", "output"));
  } else {
    output = addConv(graph, sum, "output", 2 * (5 + kClasses), 3, random);
  }
  const Status set = graph.setOutputs({output});
  NARROWS_ASSERT(set.ok());
  return graph;
}

ModelDescription smallDescription(SmallHead head) {
  ModelDescription description;
  description.name = "small";
  description.preprocessing.width = kWidth;
  description.preprocessing.height = kHeight;
  description.preprocessing.rule = ResizeRule::letterbox;
  description.labels = {"one", "two", "three"};
  description.head.classes = kClasses;
  switch (head) {
    case SmallHead::classification:
      description.head.kind = HeadKind::classification;
      break;
    case SmallHead::yolov2:
      description.head.kind = HeadKind::yolov2;
      description.head.anchors = {{{2, 3}, {5, 4}}};
      description.head.score_threshold = 0.05;
      break;
    case SmallHead::none:
      description.head.kind = HeadKind::none;
      break;
  }
  return description;
}

std::shared_ptr<const Bundle> smallSplit(SmallHead head, bool two_tensors) {
  const Graph graph = smallGraph(head);
  const ValueId relu = graph.findValue("relu1");
  std::vector<ValueId> values = {relu};
  std::vector<FeatureInterface> interfaces = {quantized(graph.type(relu), CoderKind::zstd)};
  if (two_tensors) {
    const ValueId left = graph.findValue("left");
    values.push_back(left);
    interfaces.push_back(plainInterface(graph.type(left)));
  }
  const Cut cut = must(makeCut(graph, values));
  // The cut orders its values; the interfaces follow it.
  if (two_tensors && cut.values[0] != relu) std::swap(interfaces[0], interfaces[1]);
  return bundleOf(must(splitAt(graph, cut, interfaces)), head);
}

std::shared_ptr<const Bundle> smallImageBundle(SmallHead head, const ImageInterface& interface) {
  return bundleOf(must(allOnServer(smallGraph(head), interface)), head);
}

std::shared_ptr<const Bundle> smallNodeBundle(SmallHead head) {
  return bundleOf(must(allOnNode(smallGraph(head))), head);
}

namespace {

Region box(std::int64_t channels_begin, std::int64_t channels_end, std::int64_t rows_begin,
           std::int64_t rows_end) {
  const std::array<Region::Interval, 4> intervals = {
      {{0, 1}, {channels_begin, channels_end}, {rows_begin, rows_end}, {0, kWidth}}};
  return must(Region::create(intervals));
}

/// A 3x3 convolution over a band of rows that brings its halo along: pads above or below only where
/// the picture ends.
Graph bandGraph(const std::string& name, std::int64_t rows, bool top,
                std::shared_ptr<const Tensor> weight) {
  Graph graph;
  graph.name = name;
  const ValueId input = graph.addInput("rows", {DType::f32, {1, 3, rows, kWidth}});
  Conv2d conv = convolution(3, 1);
  if (top) conv.window.pads.bottom = 0;
  if (!top) conv.window.pads.top = 0;
  const ValueId constant = graph.addConstant("weight", std::move(weight));
  const ValueId output = must(graph.add(conv, {input, constant}, "conv", "band"));
  const Status set = graph.setOutputs({output});
  NARROWS_ASSERT(set.ok());
  return graph;
}

/// A 1x1 convolution over some of the channels: a partial sum.
Graph partialGraph(const std::string& name, std::int64_t channels, std::mt19937_64& random) {
  Graph graph;
  graph.name = name;
  const ValueId input = graph.addInput("channels", {DType::f32, {1, channels, kHeight, kWidth}});
  const ValueId weight = graph.addConstant("weight", randomTensor({5, channels, 1, 1}, 1, random));
  const ValueId output = must(graph.add(convolution(1, 0), {input, weight}, "conv", "partial"));
  const Status set = graph.setOutputs({output});
  NARROWS_ASSERT(set.ok());
  return graph;
}

Piece pieceOf(const Graph& graph, DeviceId device) {
  Piece piece;
  piece.name = graph.name;
  piece.device = device;
  for (ValueId id : graph.inputs()) piece.inputs.push_back({graph.value(id).name, graph.type(id)});
  for (ValueId id : graph.outputs()) {
    piece.outputs.push_back({graph.value(id).name, graph.type(id)});
  }
  return piece;
}

}  // namespace

std::shared_ptr<const Bundle> tiledBundle() {
  std::mt19937_64 random(11);
  constexpr std::int64_t kHalf = kHeight / 2;
  const auto weight = std::make_shared<const Tensor>(randomTensor({4, 3, 3, 3}, 0.5F, random));
  auto bundle = std::make_shared<Bundle>();
  bundle->name = "tiled";
  bundle->description = smallDescription(SmallHead::none);
  bundle->pieces.push_back(bandGraph("upper", kHalf + 1, true, weight));
  bundle->pieces.push_back(bandGraph("lower", kHalf + 1, false, weight));
  bundle->pieces.push_back(partialGraph("sum1", 3, random));
  bundle->pieces.push_back(partialGraph("sum2", 1, random));

  Plan& plan = bundle->plan;
  plan.devices = {{"node"}, {"server"}};
  const DeviceId node(0);
  const DeviceId server(1);
  plan.source_device = node;
  plan.sink_device = node;
  const std::array<DeviceId, 4> places = {node, server, server, server};
  for (std::size_t i = 0; i < bundle->pieces.size(); ++i) {
    plan.pieces.push_back(pieceOf(bundle->pieces[i], places[i]));
  }
  plan.inputs = {{"image", {DType::f32, {1, 3, kHeight, kWidth}}}};
  plan.outputs = {{"output", {DType::f32, {1, 5, kHeight, kWidth}}}};

  const Endpoint model;
  const auto input = [](std::size_t piece) { return Endpoint{PieceId(piece), 0}; };
  const auto copy = [&plan](Endpoint source, Region from, Endpoint destination, Region to) {
    plan.transfers.push_back({source, from, destination, to, TransferMode::copy, InterfaceId()});
  };
  copy(model, box(0, 3, 0, kHalf + 1), input(0), box(0, 3, 0, kHalf + 1));
  copy(model, box(0, 3, kHalf - 1, kHeight), input(1), box(0, 3, 0, kHalf + 1));
  for (const std::size_t sum : {std::size_t{2}, std::size_t{3}}) {
    const std::int64_t begin = sum == 2 ? 0 : 3;
    const std::int64_t end = sum == 2 ? 3 : 4;
    copy(input(0), box(begin, end, 0, kHalf), input(sum), box(0, end - begin, 0, kHalf));
    copy(input(1), box(begin, end, 0, kHalf), input(sum), box(0, end - begin, kHalf, kHeight));
  }
  // Named, so that the output crosses to the node as the plan says.
  plan.interfaces.emplace_back(plainInterface(plan.outputs[0].type));
  for (const std::size_t sum : {std::size_t{2}, std::size_t{3}}) {
    const Region whole = Region::whole(plan.outputs[0].type.shape);
    plan.transfers.push_back({input(sum), whole, model, whole, TransferMode::add, InterfaceId(0)});
  }
  return bundle;
}

std::shared_ptr<const Bundle> withoutDevice(const Bundle& bundle, std::string_view device) {
  auto less = std::make_shared<Bundle>(bundle);
  for (std::size_t i = 0; i < less->plan.pieces.size(); ++i) {
    if (less->plan.devices[less->plan.pieces[i].device.index()].name == device) {
      less->pieces[i] = Graph();
    }
  }
  return less;
}

Image smallPicture(std::uint64_t seed, std::int64_t width, std::int64_t height) {
  std::mt19937_64 random(seed);
  Image image = makeImage({width, height});
  std::uniform_int_distribution<int> noise(0, 120);
  for (std::int64_t i = 0; i < width * height * 3; ++i) {
    const std::int64_t x = i / 3 % width;
    image.rgb[static_cast<std::size_t>(i)] =
        static_cast<std::uint8_t>(x * 120 / width + noise(random));
  }
  return image;
}

}  // namespace narrows::test
