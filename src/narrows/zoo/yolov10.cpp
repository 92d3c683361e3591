#include "narrows/zoo/yolov10.h"

#include <algorithm>
#include <array>

#include "narrows/zoo/network.h"
#include "narrows/zoo/yolov10_blocks.h"

namespace narrows {
namespace {

constexpr double kEpsilon = 1e-3;
constexpr std::int64_t kStep = 32;
/// Bins in which a distance is given: 0 to 15 cells.
constexpr std::int64_t kBins = 16;
constexpr std::string_view kHead = "model.23";

/// Channels of the strides 2, 4, 8, 16 and 32.
struct Widths {
  std::int64_t p1, p2, p3, p4, p5;
};

/// Maps of the strides 8, 16 and 32.
struct Pyramid {
  ValueId p3, p4, p5;
};

Result<Pyramid> addBackbone(LayerBuilder& layers, ValueId image, const Widths& widths) {
  NARROWS_TRY(x0, siluConv(layers, image, widths.p1, 3, 2, "model.0"));
  NARROWS_TRY(x1, siluConv(layers, x0, widths.p2, 3, 2, "model.1"));
  NARROWS_TRY(x2, c2f(layers, x1, {widths.p2, 1, true}, "model.2"));
  NARROWS_TRY(x3, siluConv(layers, x2, widths.p3, 3, 2, "model.3"));
  NARROWS_TRY(x4, c2f(layers, x3, {widths.p3, 2, true}, "model.4"));
  NARROWS_TRY(x5, scDown(layers, x4, widths.p4, "model.5"));
  NARROWS_TRY(x6, c2f(layers, x5, {widths.p4, 2, true}, "model.6"));
  NARROWS_TRY(x7, scDown(layers, x6, widths.p5, "model.7"));
  NARROWS_TRY(x8, c2f(layers, x7, {widths.p5, 1, true}, "model.8"));
  NARROWS_TRY(x9, sppf(layers, x8, "model.9"));
  NARROWS_TRY(x10, psa(layers, x9, "model.10"));
  return Pyramid{x4, x6, x10};
}

Result<Pyramid> addNeck(LayerBuilder& layers, const Pyramid& backbone, const Widths& widths) {
  Graph& graph = layers.graph();
  NARROWS_TRY(x11, layers.upsample(backbone.p5, 2, "model.11"));
  NARROWS_TRY(x12, graph.add(Concat{1}, {x11, backbone.p4}, "model.12"));
  NARROWS_TRY(x13, c2f(layers, x12, {widths.p4, 1, false}, "model.13"));
  NARROWS_TRY(x14, layers.upsample(x13, 2, "model.14"));
  NARROWS_TRY(x15, graph.add(Concat{1}, {x14, backbone.p3}, "model.15"));
  NARROWS_TRY(x16, c2f(layers, x15, {widths.p3, 1, false}, "model.16"));
  NARROWS_TRY(x17, siluConv(layers, x16, widths.p3, 3, 2, "model.17"));
  NARROWS_TRY(x18, graph.add(Concat{1}, {x17, x13}, "model.18"));
  NARROWS_TRY(x19, c2f(layers, x18, {widths.p4, 1, false}, "model.19"));
  NARROWS_TRY(x20, scDown(layers, x19, widths.p4, "model.20"));
  NARROWS_TRY(x21, graph.add(Concat{1}, {x20, backbone.p5}, "model.21"));
  NARROWS_TRY(x22, c2f(layers, x21, {widths.p5, 1, true, InnerBlock::compact}, "model.22"));
  return Pyramid{x16, x19, x22};
}

std::vector<float> normalBias(std::int64_t count, double center, LayerBuilder& layers) {
  std::vector<float> bias;
  for (std::int64_t i = 0; i < count; ++i)
    bias.push_back(static_cast<float>(center + 0.5 * layers.normal()));
  return bias;
}

/// (1, 4 * bins + classes, cells) of one map.
Result<ValueId> addBranches(LayerBuilder& layers, ValueId x, std::int64_t box_channels,
                            std::int64_t class_channels, std::int64_t classes, std::size_t number) {
  const std::string box = fmt::format("{}.one2one_cv2.{}", kHead, number);
  NARROWS_TRY(box0, siluConv(layers, x, box_channels, 3, 1, box + ".0"));
  NARROWS_TRY(box1, siluConv(layers, box0, box_channels, 3, 1, box + ".1"));
  NARROWS_TRY(box2, layers.pointwise(box1, normalBias(4 * kBins, 1.0, layers), box + ".2", {}));
  const std::string label = fmt::format("{}.one2one_cv3.{}", kHead, number);
  NARROWS_TRY(class0, depthwise(layers, x, label + ".0.0"));
  NARROWS_TRY(class1, siluConv(layers, class0, class_channels, 1, 1, label + ".0.1"));
  NARROWS_TRY(class2, depthwise(layers, class1, label + ".1.0"));
  NARROWS_TRY(class3, siluConv(layers, class2, class_channels, 1, 1, label + ".1.1"));
  // Few boxes reach a usual score threshold, as in a trained network.
  NARROWS_TRY(class4,
              layers.pointwise(class3, normalBias(classes, -8.0, layers), label + ".2", {}));
  NARROWS_TRY(joined, layers.graph().add(Concat{1}, {box2, class4},
                                         fmt::format("{}.concat.{}", kHead, number)));
  const Shape shape = layers.graph().shape(joined);
  return layers.graph().add(Reshape{{1, shape[1], shape[2] * shape[3]}}, {joined},
                            fmt::format("{}.cells.{}", kHead, number));
}

/// Each distance is the mean of its bins under their softmax (Li et al. 2020, distribution focal
/// loss): (1, 4 * bins, N) -> (1, 4, N).
Result<ValueId> addDistances(LayerBuilder& layers, ValueId bins) {
  Graph& graph = layers.graph();
  const std::int64_t cells = graph.shape(bins)[2];
  std::vector<float> steps;
  for (std::int64_t i = 0; i < kBins; ++i) steps.push_back(static_cast<float>(i));
  const std::string name = std::string(kHead) + ".dfl";
  NARROWS_TRY(sides, graph.add(Reshape{{1, 4, kBins, cells}}, {bins}, name + ".sides"));
  NARROWS_TRY(turned, graph.add(Transpose{{0, 2, 1, 3}}, {sides}, name + ".turned"));
  NARROWS_TRY(shares, graph.add(Softmax{1}, {turned}, name + ".softmax"));
  NARROWS_TRY(means, layers.weightedSum(shares, steps, name));
  return graph.add(Reshape{{1, 4, cells}}, {means}, name + ".distances");
}

Result<ValueId> addHead(LayerBuilder& layers, const Pyramid& neck, std::int64_t classes) {
  Graph& graph = layers.graph();
  const std::array<ValueId, 3> maps{neck.p3, neck.p4, neck.p5};
  const std::int64_t finest = graph.shape(neck.p3)[1];
  const std::int64_t box_channels = std::max({std::int64_t{16}, finest / 4, 4 * kBins});
  const std::int64_t class_channels = std::max(finest, std::min<std::int64_t>(classes, 100));
  std::vector<ValueId> cells;
  for (std::size_t i = 0; i < maps.size(); ++i) {
    NARROWS_TRY(map, addBranches(layers, maps[i], box_channels, class_channels, classes, i));
    cells.push_back(map);
  }
  NARROWS_TRY(all, graph.add(Concat{2}, cells, std::string(kHead) + ".concat"));
  NARROWS_TRY(node,
              graph.addNode(Split{1, {4 * kBins, classes}}, {all}, std::string(kHead) + ".split"));
  const std::vector<ValueId> parts = graph.node(node).outputs;
  NARROWS_TRY(distances, addDistances(layers, parts[0]));
  NARROWS_TRY(scores,
              graph.add(Unary{UnaryKind::sigmoid}, {parts[1]}, std::string(kHead) + ".scores"));
  return graph.add(Concat{1}, {distances, scores}, std::string(kHead) + ".boxes", "boxes");
}

}  // namespace

Result<ZooModel> buildYolov10n(const ZooOptions& given) {
  const SizeRule rule{"yolov10n", 640, 80, 1, kStep, kStep};
  NARROWS_TRY(options, completeOptions(given, rule));
  const auto channels = [&](std::int64_t full) { return scaledChannels(full, options.width); };
  const Widths widths{channels(16), channels(32), channels(64), channels(128), channels(256)};
  ZooModel model = newModel(rule, options);
  model.head = ZooHead::yolov10;
  model.strides = {8, 16, 32};
  model.picture.fit = ZooPicture::Fit::letterbox;
  LayerBuilder layers(model.graph, options, kEpsilon);
  NARROWS_TRY(backbone, addBackbone(layers, addImage(model), widths));
  NARROWS_TRY(neck, addNeck(layers, backbone, widths));
  NARROWS_TRY(boxes, addHead(layers, neck, options.classes));
  NARROWS_CHECK(model.graph.setOutputs({boxes}));
  return model;
}

}  // namespace narrows
