#include "narrows/vision/draw.h"

#include <gtest/gtest.h>

#include <set>
#include <tuple>

#include "narrows/vision/font.h"

namespace narrows {
namespace {

Color pixelAt(const Image& image, std::int64_t x, std::int64_t y) {
  const std::uint8_t* pixel = image.rgb.data() + (y * image.width + x) * 3;
  return {pixel[0], pixel[1], pixel[2]};
}

TEST(DrawText, DotsOfALetter) {
  Image image = makeImage({8, 8});
  drawText(image, 1, 0, "L", {9, 8, 7});
  for (std::int64_t y = 0; y < 8; ++y) {
    for (std::int64_t x = 0; x < 8; ++x) {
      const bool ink = y < 7 && x >= 1 && x < 6 && (x == 1 || y == 6);
      EXPECT_EQ(pixelAt(image, x, y), (ink ? Color{9, 8, 7} : Color{})) << x << "," << y;
    }
  }
}

TEST(DrawText, GlyphsAreDistinctAndFit) {
  std::set<Glyph> glyphs;
  for (char c = ' '; c <= '~'; ++c) {
    for (std::uint8_t column : glyphOf(c)) EXPECT_LT(column, 1 << kGlyphRows) << c;
    EXPECT_TRUE(glyphs.insert(glyphOf(c)).second) << c;
  }
  EXPECT_EQ(glyphOf('\n'), glyphOf('?'));
  EXPECT_EQ(glyphOf('\xC3'), glyphOf('?'));
}

TEST(DrawDetections, FrameOnTheBoxAndLabelAbove) {
  Image image = makeImage({200, 100});
  const std::vector<std::string> labels = {"dog"};
  const Detection detection{0, 0.5F, {0.25F, 0.5F, 0.75F, 0.9F}};
  drawDetections(image, {&detection, 1}, labels);
  const Color color = labelColor(0);
  EXPECT_EQ(pixelAt(image, 50, 50), color);
  EXPECT_EQ(pixelAt(image, 149, 89), color);
  EXPECT_EQ(pixelAt(image, 51, 70), color);
  EXPECT_EQ(pixelAt(image, 100, 70), Color{});
  EXPECT_EQ(pixelAt(image, 150, 70), Color{});
  EXPECT_EQ(pixelAt(image, 50, 45), color);  // the label's ground
}

// The sanitizers watch the borders.
TEST(DrawDetections, StrangeBoxesAndTinyPicturesStayInside) {
  for (const ImageSize size : {ImageSize{1, 1}, ImageSize{3, 50}, ImageSize{50, 3}}) {
    Image image = makeImage(size);
    const std::vector<Detection> detections = {
        {-3, 0.5F, {-5, -5, 9, 9}}, {7, 2.0F, {0.9F, 0.9F, 0.1F, 0.1F}}, {0, 1.0F, {0, 0, 0, 0}}};
    drawDetections(image, detections, {});
    EXPECT_EQ(image.rgb.size(), static_cast<std::size_t>(size.width * size.height * 3));
  }
}

TEST(LabelColor, NeighboursDiffer) {
  std::set<std::tuple<int, int, int>> colors;
  for (int label = 0; label < 20; ++label) {
    const Color color = labelColor(label);
    EXPECT_EQ(color, labelColor(label));
    colors.emplace(color.red, color.green, color.blue);
  }
  EXPECT_EQ(colors.size(), 20U);
}

}  // namespace
}  // namespace narrows
