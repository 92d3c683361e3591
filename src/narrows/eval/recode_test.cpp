#include "narrows/eval/recode.h"

#include <gtest/gtest.h>

#include <cmath>

namespace narrows {
namespace {

Image waves() {
  Image image = makeImage({97, 61});
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      std::uint8_t* pixel = image.rgb.data() + 3 * (y * image.width + x);
      pixel[0] = static_cast<std::uint8_t>(128 + 100 * std::sin(0.1 * static_cast<double>(x)));
      pixel[1] = static_cast<std::uint8_t>(128 + 100 * std::sin(0.07 * static_cast<double>(y)));
      pixel[2] = static_cast<std::uint8_t>(128 + 60 * std::sin(0.05 * static_cast<double>(x + y)));
    }
  }
  return image;
}

double meanDifference(const Image& a, const Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) sum += std::abs(a.rgb[i] - b.rgb[i]);
  return sum / static_cast<double>(a.rgb.size());
}

TEST(Recode, PicturesComeBackAlikeAndQualityCostsBytes) {
  const Image image = waves();
  for (const PictureFormat format : {PictureFormat::jpeg, PictureFormat::webp}) {
    const auto good = recode(image, format, 95);
    const auto bad = recode(image, format, 10);
    ASSERT_TRUE(good.ok() && bad.ok()) << toString(format);
    EXPECT_EQ(good->image.size(), image.size());
    EXPECT_LT(meanDifference(good->image, image), 3) << toString(format);
    EXPECT_LT(meanDifference(good->image, image), meanDifference(bad->image, image));
    EXPECT_GT(good->bytes, bad->bytes);
    EXPECT_GT(bad->bytes, 100u);
  }
}

TEST(Recode, AnotherQualityIsNamed) {
  for (const int quality : {0, 101}) {
    const auto result = recode(waves(), PictureFormat::webp, quality);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().message, "quality " + std::to_string(quality) + ": expected 1 to 100");
  }
}

}  // namespace
}  // namespace narrows
