#include "narrows/train/augment.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

namespace narrows {
namespace {

/// Part of a picture in pixels; may lie outside it.
struct Window {
  double x = 0;
  double y = 0;
  double w = 0;
  double h = 0;
};

/// Where a window goes: pixels of the target.
struct Target {
  std::int64_t x = 0;
  std::int64_t y = 0;
  std::int64_t w = 0;
  std::int64_t h = 0;
};

/// Which sides change places.
struct Mirror {
  bool left_right = false;
  bool top_bottom = false;
};

/// Bilinear samples of the window of `from`, mirrored if wanted, into the target part of `to`.
void paint(const Image& from, const Window& window, Mirror mirror, std::uint8_t fill, Image& to,
           const Target& target) {
  for (std::int64_t y = 0; y < target.h; ++y) {
    const double down = (static_cast<double>(y) + 0.5) / static_cast<double>(target.h);
    const double sy = window.y + (mirror.top_bottom ? 1 - down : down) * window.h - 0.5;
    const auto y0 = static_cast<std::int64_t>(std::floor(sy));
    const double fy = sy - static_cast<double>(y0);
    for (std::int64_t x = 0; x < target.w; ++x) {
      const double share = (static_cast<double>(x) + 0.5) / static_cast<double>(target.w);
      const double sx = window.x + (mirror.left_right ? 1 - share : share) * window.w - 0.5;
      const auto x0 = static_cast<std::int64_t>(std::floor(sx));
      const double fx = sx - static_cast<double>(x0);
      std::uint8_t* out = to.rgb.data() + ((target.y + y) * to.width + target.x + x) * 3;
      if (sx < -0.5 || sy < -0.5 || sx > static_cast<double>(from.width) - 0.5 ||
          sy > static_cast<double>(from.height) - 0.5) {
        std::fill(out, out + 3, fill);
        continue;
      }
      const auto at = [&](std::int64_t px, std::int64_t py) {
        px = std::clamp<std::int64_t>(px, 0, from.width - 1);
        py = std::clamp<std::int64_t>(py, 0, from.height - 1);
        return from.rgb.data() + (py * from.width + px) * 3;
      };
      const std::uint8_t* a = at(x0, y0);
      const std::uint8_t* b = at(x0 + 1, y0);
      const std::uint8_t* c = at(x0, y0 + 1);
      const std::uint8_t* d = at(x0 + 1, y0 + 1);
      for (int k = 0; k < 3; ++k) {
        const double value =
            (1 - fy) * ((1 - fx) * a[k] + fx * b[k]) + fy * ((1 - fx) * c[k] + fx * d[k]);
        out[k] = static_cast<std::uint8_t>(std::lround(value));
      }
    }
  }
}

/// Boxes of `from` as they lie in `to` after `paint`.
void carryBoxes(const Example& from, const Window& window, Mirror mirror, Example& to,
                const Target& target) {
  constexpr double kLeast = 1.0 / 3;
  const auto width = static_cast<double>(to.image.width);
  const auto height = static_cast<double>(to.image.height);
  const double left = static_cast<double>(target.x) / width;
  const double right = static_cast<double>(target.x + target.w) / width;
  const double top = static_cast<double>(target.y) / height;
  const double bottom = static_cast<double>(target.y + target.h) / height;
  for (const BoxTarget& box : from.boxes) {
    double x1 =
        ((box.cx - box.w / 2) * static_cast<double>(from.image.width) - window.x) / window.w;
    double x2 =
        ((box.cx + box.w / 2) * static_cast<double>(from.image.width) - window.x) / window.w;
    double y1 =
        ((box.cy - box.h / 2) * static_cast<double>(from.image.height) - window.y) / window.h;
    double y2 =
        ((box.cy + box.h / 2) * static_cast<double>(from.image.height) - window.y) / window.h;
    if (mirror.left_right) std::tie(x1, x2) = std::pair(1 - x2, 1 - x1);
    if (mirror.top_bottom) std::tie(y1, y2) = std::pair(1 - y2, 1 - y1);
    const double px1 = left + x1 * (right - left), px2 = left + x2 * (right - left);
    const double py1 = top + y1 * (bottom - top), py2 = top + y2 * (bottom - top);
    const double cx1 = std::clamp(px1, left, right), cx2 = std::clamp(px2, left, right);
    const double cy1 = std::clamp(py1, top, bottom), cy2 = std::clamp(py2, top, bottom);
    const double whole = (px2 - px1) * (py2 - py1);
    const double part = (cx2 - cx1) * (cy2 - cy1);
    if (whole <= 0 || part < kLeast * whole) continue;
    to.boxes.push_back({box.label, (cx1 + cx2) / 2, (cy1 + cy2) / 2, cx2 - cx1, cy2 - cy1});
  }
}

void varyColors(Image& image, double most, Draw& draw) {
  const double brightness = 1 + draw.between(-most, most);
  const double contrast = 1 + draw.between(-most, most);
  const double saturation = 1 + draw.between(-most, most);
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) {
    std::uint8_t* pixel = image.rgb.data() + i;
    const double grey = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
    for (int k = 0; k < 3; ++k) {
      double value = grey + (pixel[k] - grey) * saturation;
      value = ((value - 128) * contrast + 128) * brightness;
      pixel[k] = static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
    }
  }
}

}  // namespace

Example augment(const Example& example, const Augmentation& options, Draw& draw) {
  Example result;
  result.label = example.label;
  const Image& image = example.image;
  const auto width = static_cast<double>(image.width);
  const auto height = static_cast<double>(image.height);
  Window window{0, 0, width, height};
  if (options.zoom > 0 || options.shift > 0) {
    const double both = 1 + draw.between(-options.zoom, options.zoom);
    window.w *= both * (1 + draw.between(-options.zoom, options.zoom) / 2);
    window.h *= both * (1 + draw.between(-options.zoom, options.zoom) / 2);
    window.x = draw.between(0, 1) * (width - window.w) +
               draw.between(-options.shift, options.shift) * width;
    window.y = draw.between(0, 1) * (height - window.h) +
               draw.between(-options.shift, options.shift) * height;
  }
  Mirror mirror;
  mirror.left_right = options.flip && draw.chance(0.5);
  mirror.top_bottom = options.flip_vertical && draw.chance(0.5);
  const Target whole{0, 0, image.width, image.height};
  const bool moved = mirror.left_right || mirror.top_bottom || window.w != width ||
                     window.h != height || window.x != 0;
  if (moved) {
    result.image = makeImage(image.size());
    paint(image, window, mirror, options.fill, result.image, whole);
    carryBoxes(example, window, mirror, result, whole);
  } else {
    result.image = image;
    result.boxes = example.boxes;
  }
  if (options.color > 0) varyColors(result.image, options.color, draw);
  return result;
}

Example makeMosaic(std::span<const Example* const, 4> examples, std::uint8_t fill, Draw& draw) {
  const ImageSize size = examples[0]->image.size();
  Example result;
  result.image = makeImage(size, fill, fill, fill);
  const auto middle = [&](std::int64_t extent) {
    return std::clamp<std::int64_t>(
        std::lround(draw.between(0.3, 0.7) * static_cast<double>(extent)), 1, extent - 1);
  };
  const std::int64_t x = middle(size.width);
  const std::int64_t y = middle(size.height);
  const Target parts[] = {{0, 0, x, y},
                          {x, 0, size.width - x, y},
                          {0, y, x, size.height - y},
                          {x, y, size.width - x, size.height - y}};
  for (std::size_t i = 0; i < 4; ++i) {
    const Target& part = parts[i];
    const Image& image = examples[i]->image;
    NARROWS_ASSERT(image.size() == size);
    const double most = std::min(static_cast<double>(size.width) / static_cast<double>(part.w),
                                 static_cast<double>(size.height) / static_cast<double>(part.h));
    const double scale = draw.between(1, std::max(1.0, most));
    Window window{0, 0, static_cast<double>(part.w) * scale, static_cast<double>(part.h) * scale};
    window.x = draw.between(0, 1) * (static_cast<double>(size.width) - window.w);
    window.y = draw.between(0, 1) * (static_cast<double>(size.height) - window.h);
    paint(image, window, {}, fill, result.image, part);
    carryBoxes(*examples[i], window, {}, result, part);
  }
  return result;
}

}  // namespace narrows
