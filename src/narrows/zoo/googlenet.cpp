#include "narrows/zoo/googlenet.h"

#include <array>

#include "narrows/zoo/conv_block.h"
#include "narrows/zoo/network.h"

namespace narrows {
namespace {

/// One section of the .cfg: a convolution, or a 2 x 2 pool where `kernel` is 0.
struct Section {
  std::int64_t channels = 0;
  std::int64_t kernel = 0;
  std::int64_t stride = 1;
};

constexpr Section kPool{};
constexpr std::array<Section, 24> kSections{
    {{64, 7, 2}, kPool,    {192, 3},  kPool,    {128, 1}, {256, 3},  {256, 1}, {512, 3},
     kPool,      {256, 1}, {512, 3},  {256, 1}, {512, 3}, {256, 1},  {512, 3}, {256, 1},
     {512, 3},   {512, 1}, {1024, 3}, kPool,    {512, 1}, {1024, 3}, {512, 1}, {1024, 3}}};
constexpr std::int64_t kStep = 32;

}  // namespace

Result<ZooModel> buildGooglenet(const ZooOptions& given) {
  const SizeRule rule{"googlenet", 224, 1000, 1, kStep, kStep};
  NARROWS_TRY(options, completeOptions(given, rule));
  ZooModel model = newModel(rule, options);
  model.head = ZooHead::classification;
  model.probabilities = true;
  model.picture.fit = ZooPicture::Fit::crop;
  model.picture.resize_to = options.size;
  LayerBuilder layers(model.graph, options);
  ValueId x = addImage(model);
  int convolutions = 0;
  int pools = 0;
  for (const Section& section : kSections) {
    if (section.kernel == 0) {
      NARROWS_TRY(pool, layers.maxPool(x, 2, fmt::format("pool{}", ++pools)));
      x = pool;
      continue;
    }
    const ConvShape shape{scaledChannels(section.channels, options.width), section.kernel,
                          section.stride, Activation::leaky};
    NARROWS_TRY(y, layers.convNorm(x, shape, fmt::format("conv{}", ++convolutions)));
    x = y;
  }
  NARROWS_TRY(last, layers.conv(x, {options.classes, 1, 1, Activation::leaky},
                                fmt::format("conv{}", ++convolutions)));
  NARROWS_TRY(scores, layers.averageToVector(last, "avgpool"));
  NARROWS_TRY(probabilities, model.graph.add(Softmax{1}, {scores}, "softmax", "probabilities"));
  NARROWS_CHECK(model.graph.setOutputs({probabilities}));
  return model;
}

}  // namespace narrows
