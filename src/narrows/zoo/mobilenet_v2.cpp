#include "narrows/zoo/mobilenet_v2.h"

#include <algorithm>
#include <array>

#include "narrows/zoo/conv_block.h"
#include "narrows/zoo/network.h"

namespace narrows {
namespace {

/// t, c, n, s of table 2.
struct Stage {
  std::int64_t expansion;
  std::int64_t channels;
  std::int64_t blocks;
  std::int64_t stride;
};

constexpr std::array<Stage, 7> kStages{{{1, 16, 1, 1},
                                        {6, 24, 2, 2},
                                        {6, 32, 3, 2},
                                        {6, 64, 4, 2},
                                        {6, 96, 3, 1},
                                        {6, 160, 3, 2},
                                        {6, 320, 1, 1}}};

struct BlockShape {
  std::int64_t expansion = 1;
  std::int64_t channels = 0;
  std::int64_t stride = 1;
};

Result<ValueId> invertedResidual(LayerBuilder& layers, ValueId x, const BlockShape& block,
                                 const std::string& name) {
  const std::int64_t inputs = layers.graph().shape(x)[1];
  const std::int64_t hidden = inputs * block.expansion;
  ValueId wide = x;
  if (block.expansion != 1) {
    NARROWS_TRY(expanded, layers.convNorm(x, {hidden, 1, 1, Activation::relu6}, name + ".expand"));
    wide = expanded;
  }
  NARROWS_TRY(depthwise, layers.convNorm(wide, {hidden, 3, block.stride, Activation::relu6, hidden},
                                         name + ".depthwise"));
  NARROWS_TRY(narrow, layers.convNorm(depthwise, {block.channels, 1}, name + ".project"));
  if (block.stride != 1 || inputs != block.channels) return narrow;
  return layers.add(x, narrow, name + ".add");
}

}  // namespace

Result<ZooModel> buildMobilenetV2(const ZooOptions& given) {
  const SizeRule rule{"mobilenetv2", 224, 1000};
  NARROWS_TRY(options, completeOptions(given, rule));
  ZooModel model = newImagenetModel(rule, options);
  LayerBuilder layers(model.graph, options);
  NARROWS_TRY(stem, layers.convNorm(addImage(model),
                                    {scaledChannels(32, options.width), 3, 2, Activation::relu6},
                                    "features.0"));
  ValueId x = stem;
  int number = 1;
  for (const Stage& stage : kStages) {
    for (std::int64_t i = 0; i < stage.blocks; ++i) {
      const BlockShape block{stage.expansion, scaledChannels(stage.channels, options.width),
                             i == 0 ? stage.stride : 1};
      NARROWS_TRY(y, invertedResidual(layers, x, block, fmt::format("features.{}", number++)));
      x = y;
    }
  }
  const std::int64_t last = scaledChannels(1280, std::max(1.0, options.width));
  NARROWS_TRY(conv, layers.convNorm(x, {last, 1, 1, Activation::relu6},
                                    fmt::format("features.{}", number)));
  NARROWS_TRY(features, layers.averageToVector(conv, "avgpool"));
  NARROWS_TRY(logits,
              layers.dense(features, options.classes, Activation::none, "classifier", "logits"));
  NARROWS_CHECK(model.graph.setOutputs({logits}));
  return model;
}

}  // namespace narrows
