#include "narrows/zoo/efficientnet_v2.h"

#include <algorithm>
#include <array>

#include "narrows/zoo/conv_block.h"
#include "narrows/zoo/network.h"

namespace narrows {
namespace {

constexpr double kEpsilon = 1e-3;
constexpr std::int64_t kLastChannels = 1280;

struct Stage {
  bool fused;
  std::int64_t expansion;
  std::int64_t stride;
  std::int64_t channels;
  std::int64_t blocks;
};

constexpr std::int64_t kStemChannels = 24;
constexpr std::array<Stage, 6> kStages{{{true, 1, 1, 24, 2},
                                        {true, 4, 2, 48, 4},
                                        {true, 4, 2, 64, 4},
                                        {false, 4, 2, 128, 6},
                                        {false, 6, 1, 160, 9},
                                        {false, 6, 2, 256, 15}}};

struct BlockShape {
  std::int64_t expansion = 1;
  std::int64_t stride = 1;
  std::int64_t channels = 0;
};

/// Squeeze-and-excite (Hu et al. 2018): each channel times a factor from the means of all.
Result<ValueId> squeezeExcite(LayerBuilder& layers, ValueId x, std::int64_t squeezed,
                              const std::string& name) {
  Graph& graph = layers.graph();
  const std::int64_t channels = graph.shape(x)[1];
  NARROWS_TRY(means, graph.add(GlobalPool{}, {x}, name + ".avgpool"));
  NARROWS_TRY(reduced, layers.conv(means, {squeezed, 1, 1, Activation::silu}, name + ".reduce"));
  NARROWS_TRY(restored, layers.conv(reduced, {channels, 1}, name + ".restore"));
  NARROWS_TRY(factors, graph.add(Unary{UnaryKind::sigmoid}, {restored}, name + ".sigmoid"));
  return layers.multiply(x, factors, name + ".scale");
}

Result<ValueId> mbConv(LayerBuilder& layers, ValueId x, const BlockShape& block,
                       const std::string& name) {
  const std::int64_t inputs = layers.graph().shape(x)[1];
  const std::int64_t hidden = inputs * block.expansion;
  NARROWS_TRY(expanded, layers.convNorm(x, {hidden, 1, 1, Activation::silu}, name + ".expand"));
  NARROWS_TRY(depthwise,
              layers.convNorm(expanded, {hidden, 3, block.stride, Activation::silu, hidden},
                              name + ".depthwise"));
  NARROWS_TRY(excited, squeezeExcite(layers, depthwise, std::max<std::int64_t>(1, inputs / 4),
                                     name + ".se"));
  return layers.convNorm(excited, {block.channels, 1}, name + ".project");
}

Result<ValueId> fusedMbConv(LayerBuilder& layers, ValueId x, const BlockShape& block,
                            const std::string& name) {
  if (block.expansion == 1) {
    return layers.convNorm(x, {block.channels, 3, block.stride, Activation::silu}, name + ".conv");
  }
  const std::int64_t hidden = layers.graph().shape(x)[1] * block.expansion;
  NARROWS_TRY(expanded,
              layers.convNorm(x, {hidden, 3, block.stride, Activation::silu}, name + ".expand"));
  return layers.convNorm(expanded, {block.channels, 1}, name + ".project");
}

Result<ValueId> addBlock(LayerBuilder& layers, ValueId x, bool fused, const BlockShape& block,
                         const std::string& name) {
  NARROWS_TRY(y, fused ? fusedMbConv(layers, x, block, name) : mbConv(layers, x, block, name));
  if (block.stride != 1 || layers.graph().shape(x)[1] != block.channels) return y;
  return layers.add(y, x, name + ".add");
}

}  // namespace

Result<ZooModel> buildEfficientnetV2S(const ZooOptions& given) {
  const SizeRule rule{"efficientnetv2-s", 384, 1000};
  NARROWS_TRY(options, completeOptions(given, rule));
  const auto channels = [&](std::int64_t full) { return scaledChannels(full, options.width); };
  ZooModel model = newImagenetModel(rule, options);
  // torchvision resizes the short side to the size of the network.
  model.picture.resize_to = options.size;
  LayerBuilder layers(model.graph, options, kEpsilon);
  NARROWS_TRY(stem,
              layers.convNorm(addImage(model), {channels(kStemChannels), 3, 2, Activation::silu},
                              "features.0"));
  ValueId x = stem;
  for (std::size_t stage = 0; stage < kStages.size(); ++stage) {
    const Stage& rows = kStages[stage];
    for (std::int64_t i = 0; i < rows.blocks; ++i) {
      const BlockShape block{rows.expansion, i == 0 ? rows.stride : 1, channels(rows.channels)};
      NARROWS_TRY(
          y, addBlock(layers, x, rows.fused, block, fmt::format("features.{}.{}", stage + 1, i)));
      x = y;
    }
  }
  NARROWS_TRY(conv,
              layers.convNorm(x, {channels(kLastChannels), 1, 1, Activation::silu}, "features.7"));
  NARROWS_TRY(features, layers.averageToVector(conv, "avgpool"));
  NARROWS_TRY(logits,
              layers.dense(features, options.classes, Activation::none, "classifier", "logits"));
  NARROWS_CHECK(model.graph.setOutputs({logits}));
  return model;
}

}  // namespace narrows
