#include "narrows/zoo/squeezenet.h"

#include <array>

#include "narrows/zoo/conv_block.h"
#include "narrows/zoo/network.h"

namespace narrows {
namespace {

constexpr PoolShape kPool{3, 2, 0, true};

/// A fire module: `squeeze` channels, then `expand` each of 1 x 1 and 3 x 3.
struct Fire {
  int number;
  std::int64_t squeeze;
  std::int64_t expand;
  bool pool_behind;
};

constexpr std::array<Fire, 8> kFires{{{2, 16, 64, false},
                                      {3, 16, 64, false},
                                      {4, 32, 128, true},
                                      {5, 32, 128, false},
                                      {6, 48, 192, false},
                                      {7, 48, 192, false},
                                      {8, 64, 256, true},
                                      {9, 64, 256, false}}};

Result<ValueId> addFire(LayerBuilder& layers, ValueId x, const Fire& fire, double width) {
  const std::string name = fmt::format("fire{}", fire.number);
  const std::int64_t expand = scaledChannels(fire.expand, width);
  NARROWS_TRY(squeezed,
              layers.conv(x, {scaledChannels(fire.squeeze, width), 1, 1, Activation::relu},
                          name + ".squeeze"));
  NARROWS_TRY(narrow, layers.conv(squeezed, {expand, 1, 1, Activation::relu}, name + ".expand1x1"));
  NARROWS_TRY(wide, layers.conv(squeezed, {expand, 3, 1, Activation::relu}, name + ".expand3x3"));
  NARROWS_TRY(joined, layers.graph().add(Concat{1}, {narrow, wide}, name + ".concat"));
  if (!fire.pool_behind) return joined;
  return layers.maxPool(joined, kPool, fmt::format("pool{}", fire.number));
}

}  // namespace

Result<ZooModel> buildSqueezenet(const ZooOptions& given) {
  const SizeRule rule{"squeezenet", 224, 1000};
  NARROWS_TRY(options, completeOptions(given, rule));
  ZooModel model = newImagenetModel(rule, options);
  LayerBuilder layers(model.graph, options);
  ConvShape first{scaledChannels(96, options.width), 7, 2, Activation::relu};
  first.pad = 0;
  NARROWS_TRY(conv1, layers.conv(addImage(model), first, "conv1"));
  NARROWS_TRY(pool1, layers.maxPool(conv1, kPool, "pool1"));
  ValueId x = pool1;
  for (const Fire& fire : kFires) {
    NARROWS_TRY(y, addFire(layers, x, fire, options.width));
    x = y;
  }
  NARROWS_TRY(conv10, layers.conv(x, {options.classes, 1, 1, Activation::relu}, "conv10"));
  NARROWS_TRY(average, model.graph.add(GlobalPool{}, {conv10}, "pool10"));
  NARROWS_TRY(logits, layers.flatten(average, "logits"));
  NARROWS_CHECK(model.graph.setOutputs({logits}));
  return model;
}

}  // namespace narrows
