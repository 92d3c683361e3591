#include "narrows/zoo/alexnet.h"

#include "narrows/zoo/conv_block.h"
#include "narrows/zoo/network.h"

namespace narrows {
namespace {

constexpr std::int64_t kMapExtent = 6;
constexpr std::int64_t kHidden = 4096;
constexpr PoolShape kPool{3, 2};

ConvShape convolution(std::int64_t channels, std::int64_t kernel, std::int64_t stride = 1) {
  return {channels, kernel, stride, Activation::relu};
}

}  // namespace

Result<ZooModel> buildAlexnet(const ZooOptions& given) {
  const SizeRule rule{"alexnet", 224, 1000, 1, 63};
  NARROWS_TRY(options, completeOptions(given, rule));
  const auto channels = [&](std::int64_t full) { return scaledChannels(full, options.width); };
  ZooModel model = newImagenetModel(rule, options);
  LayerBuilder layers(model.graph, options);
  ConvShape first = convolution(channels(64), 11, 4);
  first.pad = 2;
  NARROWS_TRY(conv1, layers.conv(addImage(model), first, "conv1"));
  NARROWS_TRY(pool1, layers.maxPool(conv1, kPool, "pool1"));
  NARROWS_TRY(conv2, layers.conv(pool1, convolution(channels(192), 5), "conv2"));
  NARROWS_TRY(pool2, layers.maxPool(conv2, kPool, "pool2"));
  NARROWS_TRY(conv3, layers.conv(pool2, convolution(channels(384), 3), "conv3"));
  NARROWS_TRY(conv4, layers.conv(conv3, convolution(channels(256), 3), "conv4"));
  NARROWS_TRY(conv5, layers.conv(conv4, convolution(channels(256), 3), "conv5"));
  NARROWS_TRY(pool5, layers.maxPool(conv5, kPool, "pool5"));
  NARROWS_TRY(average, layers.averageToExtent(pool5, kMapExtent, "avgpool"));
  NARROWS_TRY(features, layers.flatten(average, "flatten"));
  NARROWS_TRY(fc6, layers.dense(features, channels(kHidden), Activation::relu, "fc6"));
  NARROWS_TRY(fc7, layers.dense(fc6, channels(kHidden), Activation::relu, "fc7"));
  NARROWS_TRY(logits, layers.dense(fc7, options.classes, Activation::none, "fc8", "logits"));
  NARROWS_CHECK(model.graph.setOutputs({logits}));
  return model;
}

}  // namespace narrows
