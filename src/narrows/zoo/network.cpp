#include "narrows/zoo/network.h"

#include <algorithm>

namespace narrows {
namespace {

constexpr std::int64_t kLargestSize = 4096;
constexpr std::int64_t kLargestClasses = 10000;

Status checkOptions(const ZooOptions& options, const SizeRule& rule) {
  const bool fits = options.size >= rule.smallest && options.size <= kLargestSize &&
                    options.size % rule.step == 0;
  if (!fits && rule.step > 1) {
    return makeError("size {}: expected a multiple of {} up to {}", options.size, rule.step,
                     kLargestSize);
  }
  if (!fits) {
    return makeError("size {}: expected {} to {}", options.size, rule.smallest, kLargestSize);
  }
  if (options.classes < 1 || options.classes > kLargestClasses)
    return makeError("classes={}: expected 1 to {}", options.classes, kLargestClasses);
  if (!(options.width >= 0.05 && options.width <= 4))
    return makeError("width={}: expected 0.05 to 4", options.width);
  return {};
}

}  // namespace

Result<ZooOptions> completeOptions(const ZooOptions& given, const SizeRule& rule) {
  ZooOptions options = given;
  if (options.size == 0) options.size = rule.size;
  if (options.classes == 0) options.classes = rule.classes;
  options.width *= rule.width;
  NARROWS_CHECK(checkOptions(options, rule).within(rule.name));
  return options;
}

ZooModel newModel(const SizeRule& rule, const ZooOptions& options) {
  ZooModel model;
  model.name = rule.name;
  model.size = options.size;
  model.classes = options.classes;
  model.graph.name = model.name;
  return model;
}

ZooModel newImagenetModel(const SizeRule& rule, const ZooOptions& options) {
  ZooModel model = newModel(rule, options);
  model.head = ZooHead::classification;
  model.picture.fit = ZooPicture::Fit::crop;
  model.picture.resize_to = options.size * 256 / 224;
  model.picture.mean = {0.485 * 255, 0.456 * 255, 0.406 * 255};
  model.picture.scale = {1 / (0.229 * 255), 1 / (0.224 * 255), 1 / (0.225 * 255)};
  return model;
}

ValueId addImage(ZooModel& model) {
  return model.graph.addInput("image", {DType::f32, Shape{1, 3, model.size, model.size}});
}

std::int64_t scaledChannels(std::int64_t channels, double factor, std::int64_t divisor) {
  const double exact = static_cast<double>(channels) * factor;
  const auto half_up = static_cast<std::int64_t>(exact + static_cast<double>(divisor) / 2.0);
  const std::int64_t rounded = std::max(divisor, half_up / divisor * divisor);
  return static_cast<double>(rounded) < 0.9 * exact ? rounded + divisor : rounded;
}

}  // namespace narrows
