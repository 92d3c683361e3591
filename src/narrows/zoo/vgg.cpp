#include "narrows/zoo/vgg.h"

#include <array>

#include "narrows/zoo/conv_block.h"
#include "narrows/zoo/network.h"

namespace narrows {
namespace {

struct Stage {
  std::int64_t channels;
  int convolutions;
};

constexpr std::array<Stage, 5> kStages{{{64, 2}, {128, 2}, {256, 3}, {512, 3}, {512, 3}}};
constexpr std::int64_t kMapExtent = 7;
constexpr std::int64_t kHidden = 4096;

}  // namespace

Result<ZooModel> buildVgg16(const ZooOptions& given) {
  const SizeRule rule{"vgg16", 224, 1000};
  NARROWS_TRY(options, completeOptions(given, rule));
  ZooModel model = newImagenetModel(rule, options);
  LayerBuilder layers(model.graph, options);
  ValueId x = addImage(model);
  for (std::size_t stage = 0; stage < kStages.size(); ++stage) {
    const std::int64_t channels = scaledChannels(kStages[stage].channels, options.width);
    for (int i = 1; i <= kStages[stage].convolutions; ++i) {
      NARROWS_TRY(y, layers.conv(x, {channels, 3, 1, Activation::relu},
                                 fmt::format("conv{}_{}", stage + 1, i)));
      x = y;
    }
    NARROWS_TRY(pool, layers.maxPool(x, PoolShape{2, 2}, fmt::format("pool{}", stage + 1)));
    x = pool;
  }
  const std::int64_t hidden = scaledChannels(kHidden, options.width);
  NARROWS_TRY(average, layers.averageToExtent(x, kMapExtent, "avgpool"));
  NARROWS_TRY(features, layers.flatten(average, "flatten"));
  NARROWS_TRY(fc6, layers.dense(features, hidden, Activation::relu, "fc6"));
  NARROWS_TRY(fc7, layers.dense(fc6, hidden, Activation::relu, "fc7"));
  NARROWS_TRY(logits, layers.dense(fc7, options.classes, Activation::none, "fc8", "logits"));
  NARROWS_CHECK(model.graph.setOutputs({logits}));
  return model;
}

}  // namespace narrows
