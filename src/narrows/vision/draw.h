#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "narrows/vision/detection.h"
#include "narrows/vision/image.h"

namespace narrows {

struct Color {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;
  friend bool operator==(const Color&, const Color&) = default;
};

/// A colour that tells a label from its neighbours; the same for the same label.
Color labelColor(int label);

/// Text in a 5 x 7 font, `scale` pixels a dot, from the top left corner; parts outside the picture
/// are cut. Characters outside printable ASCII appear as '?'.
void drawText(Image& image, std::int64_t x, std::int64_t y, std::string_view text, Color color,
              int scale = 1);

/// A frame with "label score" for each detection, best on top. A label without a name in `labels`
/// appears as its number.
void drawDetections(Image& image, std::span<const Detection> detections,
                    std::span<const std::string> labels);

}  // namespace narrows
