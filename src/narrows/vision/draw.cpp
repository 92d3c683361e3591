#include "narrows/vision/draw.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "narrows/vision/font.h"

namespace narrows {
namespace {

constexpr std::int64_t kAdvance = kGlyphColumns + 1;

/// The part of [x, x + width) x [y, y + height) inside the picture.
void fillRect(Image& image, std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height,
              Color color) {
  const std::int64_t right = std::min(x + width, image.width);
  const std::int64_t bottom = std::min(y + height, image.height);
  for (std::int64_t row = std::max<std::int64_t>(y, 0); row < bottom; ++row) {
    for (std::int64_t column = std::max<std::int64_t>(x, 0); column < right; ++column) {
      std::uint8_t* pixel = image.rgb.data() + (row * image.width + column) * 3;
      pixel[0] = color.red;
      pixel[1] = color.green;
      pixel[2] = color.blue;
    }
  }
}

void drawFrame(Image& image, std::int64_t x1, std::int64_t y1, std::int64_t x2, std::int64_t y2,
               std::int64_t thickness, Color color) {
  fillRect(image, x1, y1, x2 - x1, thickness, color);
  fillRect(image, x1, y2 - thickness, x2 - x1, thickness, color);
  fillRect(image, x1, y1, thickness, y2 - y1, color);
  fillRect(image, x2 - thickness, y1, thickness, y2 - y1, color);
}

std::int64_t toPixel(float relative, std::int64_t extent) {
  const float clipped = std::isnan(relative) ? 0.0F : std::clamp(relative, 0.0F, 1.0F);
  return std::llround(clipped * static_cast<float>(extent));
}

/// Black or white, whichever reads better (luma of ITU-R BT.601).
Color inkOn(Color ground) {
  const int luma = 299 * ground.red + 587 * ground.green + 114 * ground.blue;
  return luma > 128'000 ? Color{0, 0, 0} : Color{255, 255, 255};
}

void drawDetection(Image& image, const Detection& detection, std::span<const std::string> labels) {
  const Color color = labelColor(detection.label);
  const std::int64_t smaller = std::min(image.width, image.height);
  const auto scale = static_cast<int>(std::clamp<std::int64_t>(smaller / 240, 1, 8));
  const std::int64_t x1 = toPixel(detection.box.x1, image.width);
  const std::int64_t y1 = toPixel(detection.box.y1, image.height);
  drawFrame(image, x1, y1, toPixel(detection.box.x2, image.width),
            toPixel(detection.box.y2, image.height), scale + 1, color);

  const auto label = static_cast<std::size_t>(detection.label);
  const bool named = detection.label >= 0 && label < labels.size();
  const std::string text = fmt::format(
      "{} {:.2f}", named ? labels[label] : std::to_string(detection.label), detection.score);
  const std::int64_t width = (static_cast<std::int64_t>(text.size()) * kAdvance + 1) * scale;
  const std::int64_t height = (kGlyphRows + 2) * scale;
  // Above the frame where there is room, else inside it; never cut by the right edge.
  const std::int64_t x = std::max<std::int64_t>(std::min(x1, image.width - width), 0);
  const std::int64_t y = y1 >= height ? y1 - height : y1;
  fillRect(image, x, y, width, height, color);
  drawText(image, x + scale, y + scale, text, inkOn(color), scale);
}

}  // namespace

Color labelColor(int label) {
  // Hues a golden section apart stay distinct for any number of labels.
  const double hue =
      std::fmod(static_cast<double>(static_cast<unsigned>(label)) * 0.61803398875, 1.0) * 6;
  const double fraction = hue - std::floor(hue);
  const auto rising = static_cast<std::uint8_t>(std::lround(255 * fraction));
  const auto falling = static_cast<std::uint8_t>(255 - rising);
  switch (static_cast<int>(hue)) {
    case 0:
      return {255, rising, 0};
    case 1:
      return {falling, 255, 0};
    case 2:
      return {0, 255, rising};
    case 3:
      return {0, falling, 255};
    case 4:
      return {rising, 0, 255};
    default:
      return {255, 0, falling};
  }
}

void drawText(Image& image, std::int64_t x, std::int64_t y, std::string_view text, Color color,
              int scale) {
  for (char character : text) {
    if (x >= image.width) return;
    const Glyph& glyph = glyphOf(character);
    for (int column = 0; column < kGlyphColumns; ++column) {
      for (int row = 0; row < kGlyphRows; ++row) {
        if (((glyph[static_cast<std::size_t>(column)] >> row) & 1) == 0) continue;
        fillRect(image, x + column * scale, y + row * scale, scale, scale, color);
      }
    }
    x += kAdvance * scale;
  }
}

void drawDetections(Image& image, std::span<const Detection> detections,
                    std::span<const std::string> labels) {
  // Best last, so that it lies on top.
  for (std::size_t i = detections.size(); i > 0; --i) {
    drawDetection(image, detections[i - 1], labels);
  }
}

}  // namespace narrows
