#include "narrows/zoo/yolov3_tiny.h"

#include <algorithm>
#include <cmath>

#include "narrows/zoo/conv_block.h"
#include "narrows/zoo/network.h"

namespace narrows {
namespace {

constexpr std::int64_t kStride = 32;
constexpr std::int64_t kAnchorsPerHead = 3;

/// Biases of a head: few boxes reach a usual score threshold, as in a trained network.
std::vector<float> headBias(std::int64_t classes, LayerBuilder& layers) {
  std::vector<float> bias;
  for (std::int64_t anchor = 0; anchor < kAnchorsPerHead; ++anchor) {
    for (std::int64_t entry = 0; entry < 5 + classes; ++entry) {
      const double center = entry < 4 ? 0.0 : entry == 4 ? -2.5 : -1.0;
      bias.push_back(static_cast<float>(center + 0.5 * layers.normal()));
    }
  }
  return bias;
}

Result<ZooModel> build(const ZooOptions& given, const SizeRule& rule) {
  NARROWS_TRY(options, completeOptions(given, rule));
  const auto channels = [&](std::int64_t full) {
    return std::max<std::int64_t>(4, std::llround(static_cast<double>(full) * options.width));
  };

  ZooModel model = newModel(rule, options);
  Graph& graph = model.graph;
  LayerBuilder layers(graph, options);
  ValueId x = addImage(model);
  ValueId route;
  constexpr std::array<std::int64_t, 6> kTrunk{16, 32, 64, 128, 256, 512};
  for (std::size_t i = 0; i < kTrunk.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    NARROWS_TRY(conv, layers.convBlock(x, channels(kTrunk[i]), 3, "conv" + number));
    if (kTrunk[i] == 256) route = conv;
    NARROWS_TRY(pool, layers.maxPool(conv, i + 1 < kTrunk.size() ? 2 : 1, "pool" + number));
    x = pool;
  }
  NARROWS_TRY(conv7, layers.convBlock(x, channels(1024), 3, "conv7"));
  NARROWS_TRY(conv8, layers.convBlock(conv7, channels(256), 1, "conv8"));
  NARROWS_TRY(conv9, layers.convBlock(conv8, channels(512), 3, "conv9"));
  NARROWS_TRY(head0, layers.pointwise(conv9, headBias(options.classes, layers), "conv10", "head0"));
  NARROWS_TRY(conv11, layers.convBlock(conv8, channels(128), 1, "conv11"));
  NARROWS_TRY(upsampled, layers.upsample(conv11, 2, "upsample"));
  NARROWS_TRY(joined, graph.add(Concat{1}, {upsampled, route}, "concat"));
  NARROWS_TRY(conv12, layers.convBlock(joined, channels(256), 3, "conv12"));
  NARROWS_TRY(head1,
              layers.pointwise(conv12, headBias(options.classes, layers), "conv13", "head1"));
  NARROWS_CHECK(graph.setOutputs({head0, head1}));
  model.anchors = {{{81, 82}, {135, 169}, {344, 319}}, {{10, 14}, {23, 27}, {37, 58}}};
  return model;
}

}  // namespace

Result<ZooModel> buildTinyYolov3(const ZooOptions& options) {
  return build(options, {"tiny-yolov3", 416, 80, 1.0, kStride, kStride});
}

Result<ZooModel> buildMiniYolo(const ZooOptions& options) {
  return build(options, {"mini-yolo", 160, 8, 0.25, kStride, kStride});
}

}  // namespace narrows
