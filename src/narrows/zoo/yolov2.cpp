#include "narrows/zoo/yolov2.h"

#include <array>

#include "narrows/zoo/conv_block.h"
#include "narrows/zoo/network.h"

namespace narrows {
namespace {

constexpr std::int64_t kStep = 32;

/// A convolution, or a 2 x 2 pool where `kernel` is 0.
struct Section {
  std::int64_t channels = 0;
  std::int64_t kernel = 0;
};

constexpr Section kPool{};
/// Darknet-19 without its classifier, up to the map that the pass-through takes, and from there.
constexpr std::array<Section, 17> kFineTrunk{{{32, 3},
                                              kPool,
                                              {64, 3},
                                              kPool,
                                              {128, 3},
                                              {64, 1},
                                              {128, 3},
                                              kPool,
                                              {256, 3},
                                              {128, 1},
                                              {256, 3},
                                              kPool,
                                              {512, 3},
                                              {256, 1},
                                              {512, 3},
                                              {256, 1},
                                              {512, 3}}};
constexpr std::array<Section, 8> kCoarseTrunk{
    {kPool, {1024, 3}, {512, 1}, {1024, 3}, {512, 1}, {1024, 3}, {1024, 3}, {1024, 3}}};

/// Adds sections one by one, with names that count.
class Trunk {
 public:
  Trunk(LayerBuilder& layers, double width) : layers_(&layers), width_(width) {}

  Result<ValueId> add(ValueId x, std::span<const Section> sections) {
    for (const Section& section : sections) {
      NARROWS_TRY(y, add(x, section));
      x = y;
    }
    return x;
  }
  Result<ValueId> add(ValueId x, const Section& section) {
    if (section.kernel == 0) return layers_->maxPool(x, 2, fmt::format("pool{}", ++pools_));
    return layers_->convBlock(x, scaledChannels(section.channels, width_), section.kernel,
                              nextName());
  }
  std::string nextName() { return fmt::format("conv{}", ++convolutions_); }

 private:
  LayerBuilder* layers_;
  double width_;
  int convolutions_ = 0;
  int pools_ = 0;
};

/// Darknet's reorg_cpu with stride 2: element (c, 2 y + i, 2 x + j) of the map seen as (C / 4, 2 H,
/// 2 W) goes to ((2 i + j) C / 4 + c, y, x) of (C, H, W), and both are the flat data under other
/// extents than the maps have: (C, H, W) in, (4 C, H / 2, W / 2) out.
Result<ValueId> addReorg(Graph& graph, ValueId x) {
  const Shape shape = graph.shape(x);
  const std::int64_t channels = shape[1] / 4;
  NARROWS_TRY(blocks,
              graph.add(Reshape{{channels, shape[2], 2, shape[3], 2}}, {x}, "reorg.blocks"));
  NARROWS_TRY(order, graph.add(Transpose{{2, 4, 0, 1, 3}}, {blocks}, "reorg.order"));
  return graph.add(Reshape{{1, shape[1] * 4, shape[2] / 2, shape[3] / 2}}, {order}, "reorg");
}

/// Few boxes reach a usual score threshold, as in a trained network.
std::vector<float> headBias(std::size_t anchors, std::int64_t classes, LayerBuilder& layers) {
  std::vector<float> bias;
  for (std::size_t anchor = 0; anchor < anchors; ++anchor) {
    for (std::int64_t entry = 0; entry < 5 + classes; ++entry) {
      const double center = entry == 4 ? -2.5 : 0.0;
      bias.push_back(static_cast<float>(center + 0.5 * layers.normal()));
    }
  }
  return bias;
}

}  // namespace

Result<ZooModel> buildYolov2(const ZooOptions& given) {
  const SizeRule rule{"yolov2", 608, 80, 1, kStep, kStep};
  NARROWS_TRY(options, completeOptions(given, rule));
  ZooModel model = newModel(rule, options);
  model.head = ZooHead::yolov2;
  model.anchors = {{{0.57273, 0.677385},
                    {1.87446, 2.06253},
                    {3.33843, 5.47434},
                    {7.88282, 3.52778},
                    {9.77052, 9.16828}}};
  Graph& graph = model.graph;
  LayerBuilder layers(graph, options);
  Trunk trunk(layers, options.width);
  NARROWS_TRY(fine, trunk.add(addImage(model), kFineTrunk));
  NARROWS_TRY(coarse, trunk.add(fine, kCoarseTrunk));
  NARROWS_TRY(passed, trunk.add(fine, Section{64, 1}));
  NARROWS_TRY(reordered, addReorg(graph, passed));
  NARROWS_TRY(joined, graph.add(Concat{1}, {reordered, coarse}, "concat"));
  NARROWS_TRY(last, trunk.add(joined, Section{1024, 3}));
  NARROWS_TRY(head,
              layers.pointwise(last, headBias(model.anchors[0].size(), options.classes, layers),
                               trunk.nextName(), "head"));
  NARROWS_CHECK(graph.setOutputs({head}));
  return model;
}

}  // namespace narrows
