#include "narrows/vision/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace narrows {
namespace {

/// Whole pixels of a picture.
struct Rect {
  std::int64_t x = 0;
  std::int64_t y = 0;
  ImageSize size;
};

Rect centered(ImageSize outer, ImageSize inner) {
  return {(outer.width - inner.width) / 2, (outer.height - inner.height) / 2, inner};
}

/// `extent * to / from`, rounded down, at least 1.
std::int64_t scaled(std::int64_t extent, std::int64_t to, std::int64_t from) {
  return std::max<std::int64_t>(extent * to / from, 1);
}

/// What is done to a picture: crop, resize, crop, pad; each step may change nothing.
struct FitSteps {
  Rect first_crop;    // of the picture
  ImageSize resized;  // what the crop is resized to
  Rect second_crop;   // of the resized picture
  std::int64_t pad_x = 0;
  std::int64_t pad_y = 0;
};

FitSteps stretchSteps(const Preprocessing& p, ImageSize picture) {
  const ImageSize network{p.width, p.height};
  return {{0, 0, picture}, network, {0, 0, network}, 0, 0};
}

FitSteps letterboxSteps(const Preprocessing& p, ImageSize picture) {
  ImageSize inner{p.width, p.height};
  // Products of a picture's extent and a network's stay far below 2^63.
  if (p.width * picture.height < p.height * picture.width) {
    inner.height = scaled(picture.height, p.width, picture.width);
  } else {
    inner.width = scaled(picture.width, p.height, picture.height);
  }
  FitSteps steps{{0, 0, picture}, inner, {0, 0, inner}, 0, 0};
  if (p.anchor == LetterboxAnchor::center) {
    steps.pad_x = (p.width - inner.width) / 2;
    steps.pad_y = (p.height - inner.height) / 2;
  }
  return steps;
}

ImageSize resizedBeforeCrop(const Preprocessing& p, ImageSize picture) {
  if (p.resize_both) return {p.resize_to, p.resize_to};
  if (picture.width < picture.height) {
    return {p.resize_to, scaled(picture.height, p.resize_to, picture.width)};
  }
  return {scaled(picture.width, p.resize_to, picture.height), p.resize_to};
}

FitSteps cropSteps(const Preprocessing& p, ImageSize picture) {
  const ImageSize network{p.width, p.height};
  if (p.resize_to > 0) {
    const ImageSize resized = resizedBeforeCrop(p, picture);
    return {{0, 0, picture}, resized, centered(resized, network), 0, 0};
  }
  const double ratio =
      std::min(static_cast<double>(picture.width) / static_cast<double>(p.width),
               static_cast<double>(picture.height) / static_cast<double>(p.height));
  const auto extent = [&](std::int64_t of_network, std::int64_t of_picture) {
    const auto wanted = std::llround(static_cast<double>(of_network) * ratio * p.crop_fraction);
    return std::clamp<std::int64_t>(wanted, 1, of_picture);
  };
  const ImageSize part{extent(p.width, picture.width), extent(p.height, picture.height)};
  return {centered(picture, part), network, {0, 0, network}, 0, 0};
}

Result<FitSteps> planSteps(const Preprocessing& p, ImageSize picture) {
  if (picture.width <= 0 || picture.height <= 0 || picture.width > kMaxPixels / picture.height) {
    return makeError("a picture of {}x{} pixels; expected 1 to {}", picture.width, picture.height,
                     kMaxPixels);
  }
  NARROWS_ASSERT(p.width > 0 && p.height > 0 && p.width <= kMaxPixels / p.height);
  FitSteps steps;
  switch (p.rule) {
    case ResizeRule::stretch:
      steps = stretchSteps(p, picture);
      break;
    case ResizeRule::letterbox:
      steps = letterboxSteps(p, picture);
      break;
    case ResizeRule::crop:
      steps = cropSteps(p, picture);
      break;
  }
  // The first pass resizes the width alone, at the crop's height.
  const ImageSize& resized = steps.resized;
  const std::int64_t tallest = std::max(resized.height, steps.first_crop.size.height);
  if (resized.width > kMaxPixels / tallest) {
    return makeError("a picture of {}x{} pixels becomes {}x{} before the crop; at most {} pixels",
                     picture.width, picture.height, resized.width, tallest, kMaxPixels);
  }
  if (steps.second_crop.x < 0 || steps.second_crop.y < 0) {
    return makeError("the network takes {}x{} pixels out of {}x{}", p.width, p.height,
                     resized.width, resized.height);
  }
  return steps;
}

/// The part `from` of `source` over `target` at (x, y).
void copyRect(const Image& source, const Rect& from, Image& target, std::int64_t x,
              std::int64_t y) {
  for (std::int64_t row = 0; row < from.size.height; ++row) {
    const auto* begin = source.rgb.data() + ((from.y + row) * source.width + from.x) * 3;
    std::copy(begin, begin + from.size.width * 3,
              target.rgb.data() + ((y + row) * target.width + x) * 3);
  }
}

Image cropped(const Image& image, const Rect& part) {
  Image out = makeImage(part.size);
  copyRect(image, part, out, 0, 0);
  return out;
}

}  // namespace

Box PixelMap::toPicture(double x1, double y1, double x2, double y2) const {
  const double scale_x = crop_width / inner_width;
  const double scale_y = crop_height / inner_height;
  const auto width = static_cast<double>(picture.width);
  const auto height = static_cast<double>(picture.height);
  return {static_cast<float>(((x1 - pad_x) * scale_x + crop_x) / width),
          static_cast<float>(((y1 - pad_y) * scale_y + crop_y) / height),
          static_cast<float>(((x2 - pad_x) * scale_x + crop_x) / width),
          static_cast<float>(((y2 - pad_y) * scale_y + crop_y) / height)};
}

Result<PixelMap> makePixelMap(const Preprocessing& preprocessing, ImageSize picture) {
  NARROWS_TRY(steps, planSteps(preprocessing, picture));
  const Rect& first = steps.first_crop;
  const Rect& second = steps.second_crop;
  const double scale_x =
      static_cast<double>(first.size.width) / static_cast<double>(steps.resized.width);
  const double scale_y =
      static_cast<double>(first.size.height) / static_cast<double>(steps.resized.height);
  PixelMap map;
  map.crop_x = static_cast<double>(first.x) + static_cast<double>(second.x) * scale_x;
  map.crop_y = static_cast<double>(first.y) + static_cast<double>(second.y) * scale_y;
  map.crop_width = static_cast<double>(second.size.width) * scale_x;
  map.crop_height = static_cast<double>(second.size.height) * scale_y;
  map.pad_x = static_cast<double>(steps.pad_x);
  map.pad_y = static_cast<double>(steps.pad_y);
  map.inner_width = static_cast<double>(second.size.width);
  map.inner_height = static_cast<double>(second.size.height);
  map.picture = picture;
  return map;
}

Result<Image> fitImage(const Image& image, const Preprocessing& preprocessing) {
  NARROWS_TRY(steps, planSteps(preprocessing, image.size()));
  const bool whole = steps.first_crop.size == image.size();
  Image part = whole ? Image{} : cropped(image, steps.first_crop);
  Image resized = resizeImage(whole ? image : part, steps.resized, preprocessing.resampling);
  const ImageSize network{preprocessing.width, preprocessing.height};
  if (resized.size() == network) return resized;
  const auto fill = static_cast<std::uint8_t>(preprocessing.fill);
  Image fitted = makeImage(network, fill, fill, fill);
  copyRect(resized, steps.second_crop, fitted, steps.pad_x, steps.pad_y);
  return fitted;
}

Tensor normalizeImage(const Image& fitted, const Preprocessing& preprocessing) {
  Tensor tensor(DType::f32, Shape{1, 3, fitted.height, fitted.width});
  const auto plane = static_cast<std::size_t>(fitted.width * fitted.height);
  for (std::size_t c = 0; c < 3; ++c) {
    std::array<float, 256> values;
    for (std::size_t v = 0; v < values.size(); ++v) {
      values[v] = static_cast<float>((static_cast<double>(v) - preprocessing.mean[c]) *
                                     preprocessing.scale[c]);
    }
    const std::size_t source = preprocessing.order == ColorOrder::rgb ? c : 2 - c;
    float* target = tensor.mutableAs<float>().data() + c * plane;
    for (std::size_t i = 0; i < plane; ++i) target[i] = values[fitted.rgb[i * 3 + source]];
  }
  return tensor;
}

Result<Tensor> preprocess(const Image& image, const Preprocessing& preprocessing) {
  NARROWS_TRY(fitted, fitImage(image, preprocessing));
  return normalizeImage(fitted, preprocessing);
}

}  // namespace narrows
