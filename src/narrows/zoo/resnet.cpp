#include "narrows/zoo/resnet.h"

#include <array>

#include "narrows/zoo/conv_block.h"
#include "narrows/zoo/network.h"

namespace narrows {
namespace {

/// What one residual block is asked for. `outputs` is 4 times `width` in a bottleneck.
struct BlockShape {
  std::int64_t width = 0;
  std::int64_t outputs = 0;
  std::int64_t stride = 1;
};

Result<ValueId> basicBranch(LayerBuilder& layers, ValueId x, const BlockShape& block,
                            const std::string& name) {
  NARROWS_TRY(
      conv1, layers.convNorm(x, {block.width, 3, block.stride, Activation::relu}, name + ".conv1"));
  return layers.convNorm(conv1, {block.outputs, 3}, name + ".conv2");
}

Result<ValueId> bottleneckBranch(LayerBuilder& layers, ValueId x, const BlockShape& block,
                                 const std::string& name) {
  NARROWS_TRY(conv1, layers.convNorm(x, {block.width, 1, 1, Activation::relu}, name + ".conv1"));
  NARROWS_TRY(conv2, layers.convNorm(conv1, {block.width, 3, block.stride, Activation::relu},
                                     name + ".conv2"));
  return layers.convNorm(conv2, {block.outputs, 1}, name + ".conv3");
}

using Branch = Result<ValueId> (*)(LayerBuilder&, ValueId, const BlockShape&, const std::string&);

Result<ValueId> residualBlock(LayerBuilder& layers, ValueId x, const BlockShape& block,
                              Branch branch, const std::string& name) {
  NARROWS_TRY(sum, branch(layers, x, block, name));
  ValueId shortcut = x;
  if (block.stride != 1 || layers.graph().shape(x)[1] != block.outputs) {
    NARROWS_TRY(projected,
                layers.convNorm(x, {block.outputs, 1, block.stride}, name + ".downsample"));
    shortcut = projected;
  }
  NARROWS_TRY(joined, layers.add(sum, shortcut, name + ".add"));
  return layers.activate(joined, Activation::relu, name);
}

Result<ZooModel> build(const ZooOptions& given, const SizeRule& rule,
                       const std::array<std::int64_t, 4>& blocks, std::int64_t expansion,
                       Branch branch) {
  NARROWS_TRY(options, completeOptions(given, rule));
  ZooModel model = newImagenetModel(rule, options);
  LayerBuilder layers(model.graph, options);
  NARROWS_TRY(
      conv1, layers.convNorm(addImage(model),
                             {scaledChannels(64, options.width), 7, 2, Activation::relu}, "conv1"));
  NARROWS_TRY(pool, layers.maxPool(conv1, PoolShape{3, 2, 1}, "maxpool"));
  ValueId x = pool;
  for (std::size_t stage = 0; stage < blocks.size(); ++stage) {
    const std::int64_t width = scaledChannels(std::int64_t{64} << stage, options.width);
    for (std::int64_t i = 0; i < blocks[stage]; ++i) {
      const BlockShape block{width, width * expansion, stage > 0 && i == 0 ? 2 : 1};
      NARROWS_TRY(y,
                  residualBlock(layers, x, block, branch, fmt::format("layer{}.{}", stage + 1, i)));
      x = y;
    }
  }
  NARROWS_TRY(features, layers.averageToVector(x, "avgpool"));
  NARROWS_TRY(logits, layers.dense(features, options.classes, Activation::none, "fc", "logits"));
  NARROWS_CHECK(model.graph.setOutputs({logits}));
  return model;
}

}  // namespace

Result<ZooModel> buildResnet18(const ZooOptions& options) {
  return build(options, {"resnet18", 224, 1000}, {2, 2, 2, 2}, 1, basicBranch);
}

Result<ZooModel> buildResnet50(const ZooOptions& options) {
  return build(options, {"resnet50", 224, 1000}, {3, 4, 6, 3}, 4, bottleneckBranch);
}

}  // namespace narrows
