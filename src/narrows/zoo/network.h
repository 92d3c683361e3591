#pragma once

#include <cstdint>
#include <string_view>

#include "narrows/zoo/zoo.h"

/// What all builders share: defaults and bounds of the options, the empty model.
namespace narrows {

struct SizeRule {
  std::string_view name;
  /// Defaults.
  std::int64_t size = 0;
  std::int64_t classes = 0;
  double width = 1;
  std::int64_t smallest = 32;
  /// Sizes are multiples of this.
  std::int64_t step = 1;
};

/// The options with defaults filled in; an error names the network and what it expects.
Result<ZooOptions> completeOptions(const ZooOptions& given, const SizeRule& rule);

/// `channels` times `factor`, rounded to a multiple of `divisor` that is at least `divisor` and not
/// under 0.9 of the exact product (torchvision _make_divisible).
std::int64_t scaledChannels(std::int64_t channels, double factor, std::int64_t divisor = 8);

/// A model with name, size, classes and an empty graph.
ZooModel newModel(const SizeRule& rule, const ZooOptions& options);
/// The same for a classifier of torchvision: the short side is resized to 256 / 224 of the size,
/// the centre cropped; ImageNet's mean and deviation.
ZooModel newImagenetModel(const SizeRule& rule, const ZooOptions& options);
/// Adds the input "image" (1,3,size,size).
ValueId addImage(ZooModel& model);

}  // namespace narrows
