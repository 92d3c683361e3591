#include "narrows/vision/preprocess.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace narrows {
namespace {

Image noise(ImageSize size, std::uint_fast32_t seed) {
  std::mt19937 random(seed);
  Image image = makeImage(size);
  for (std::uint8_t& sample : image.rgb) sample = static_cast<std::uint8_t>(random());
  return image;
}

double sampleAt(const Image& image, std::int64_t x, std::int64_t y, std::int64_t c) {
  return image.rgb[static_cast<std::size_t>((y * image.width + x) * 3 + c)];
}

/// The oracle: for one output sample, the triangle-weighted mean over all input samples, in double
/// and in two dimensions at once.
double slowSample(const Image& image, ImageSize size, std::int64_t ox, std::int64_t oy,
                  std::int64_t c) {
  const double scale_x = static_cast<double>(image.width) / static_cast<double>(size.width);
  const double scale_y = static_cast<double>(image.height) / static_cast<double>(size.height);
  const auto weight = [](std::int64_t in, std::int64_t out, double scale) {
    const double reach = std::max(scale, 1.0);
    const double distance =
        (static_cast<double>(in) + 0.5) - (static_cast<double>(out) + 0.5) * scale;
    return std::max(0.0, 1 - std::abs(distance) / reach);
  };
  double sum = 0;
  double weights = 0;
  for (std::int64_t y = 0; y < image.height; ++y) {
    const double wy = weight(y, oy, scale_y);
    for (std::int64_t x = 0; wy > 0 && x < image.width; ++x) {
      const double w = wy * weight(x, ox, scale_x);
      sum += w * sampleAt(image, x, y, c);
      weights += w;
    }
  }
  return sum / weights;
}

TEST(Resize, AntialiasIsTheTriangleFilterWithinRounding) {
  std::mt19937 random(7);
  for (int round = 0; round < 12; ++round) {
    const ImageSize in{static_cast<std::int64_t>(1 + random() % 40),
                       static_cast<std::int64_t>(1 + random() % 40)};
    const ImageSize out{static_cast<std::int64_t>(1 + random() % 30),
                        static_cast<std::int64_t>(1 + random() % 30)};
    const Image image = noise(in, random());
    const Image resized = resizeImage(image, out, Resampling::antialias);
    ASSERT_EQ(resized.size(), out);
    for (std::int64_t y = 0; y < out.height; ++y) {
      for (std::int64_t x = 0; x < out.width; ++x) {
        // Two passes round once each.
        EXPECT_NEAR(sampleAt(resized, x, y, 1), slowSample(image, out, x, y, 1), 1.01)
            << in.width << "x" << in.height << " to " << out.width << "x" << out.height;
      }
    }
  }
}

// Pillow 10: Image.fromarray([[0, 10, 200, 255]]).resize((2, 1), BILINEAR). Weights of the first
// output: distances 0.5, 0.5, 1.5 over a reach of 2 give 3/4, 3/4, 1/4, normalised 3/7, 3/7, 1/7.
TEST(Resize, WeightsByHand) {
  Image image = makeImage({4, 1});
  const int values[] = {0, 10, 200, 255};
  for (std::size_t i = 0; i < 4; ++i) image.rgb[i * 3] = static_cast<std::uint8_t>(values[i]);
  const Image half = resizeImage(image, {2, 1}, Resampling::antialias);
  EXPECT_EQ(half.rgb[0], std::lround((0 * 3 + 10 * 3 + 200) / 7.0));
  EXPECT_EQ(half.rgb[3], std::lround((10 + 200 * 3 + 255 * 3) / 7.0));
  // Without antialias: half-pixel centres fall between neighbours 0 and 1, 2 and 3.
  const Image plain = resizeImage(image, {2, 1}, Resampling::bilinear);
  EXPECT_EQ(plain.rgb[0], 5);
  EXPECT_EQ(plain.rgb[3], 228);
}

TEST(Resize, BilinearAtLargeScaleLooksAtTwoNeighboursOnly) {
  Image image = makeImage({9, 9});
  image.rgb[(4 * 9 + 4) * 3] = 255;
  EXPECT_EQ(resizeImage(image, {1, 1}, Resampling::bilinear).rgb[0], 255);
  EXPECT_LT(resizeImage(image, {1, 1}, Resampling::antialias).rgb[0], 20);
}

TEST(Resize, ConstantPicturesStayAndSameSizeIsACopy) {
  const Image image = noise({11, 5}, 8);
  EXPECT_EQ(resizeImage(image, image.size(), Resampling::antialias), image);
  for (Resampling how : {Resampling::antialias, Resampling::bilinear}) {
    for (int value : {0, 1, 127, 254, 255}) {
      const auto v = static_cast<std::uint8_t>(value);
      EXPECT_EQ(resizeImage(makeImage({37, 23}, v, v, v), {13, 50}, how),
                makeImage({13, 50}, v, v, v));
    }
  }
}

Preprocessing network(std::int64_t width, std::int64_t height, ResizeRule rule) {
  Preprocessing p;
  p.width = width;
  p.height = height;
  p.rule = rule;
  return p;
}

PixelMap mapOf(const Preprocessing& p, ImageSize picture) {
  auto map = makePixelMap(p, picture);
  EXPECT_TRUE(map.ok()) << map.error().message;
  return *map;
}

void expectBox(const Box& got, const Box& want) {
  EXPECT_NEAR(got.x1, want.x1, 1e-6);
  EXPECT_NEAR(got.y1, want.y1, 1e-6);
  EXPECT_NEAR(got.x2, want.x2, 1e-6);
  EXPECT_NEAR(got.y2, want.y2, 1e-6);
}

TEST(PixelMap, Stretch) {
  const PixelMap map = mapOf(network(100, 50, ResizeRule::stretch), {640, 480});
  expectBox(map.toPicture(0, 0, 100, 50), {0, 0, 1, 1});
  expectBox(map.toPicture(25, 25, 50, 30), {0.25F, 0.5F, 0.5F, 0.6F});
}

TEST(PixelMap, LetterboxCentredAndTopLeft) {
  Preprocessing p = network(100, 100, ResizeRule::letterbox);
  // 200x100 fits as 100x50; the border above is 25.
  expectBox(mapOf(p, {200, 100}).toPicture(0, 25, 100, 75), {0, 0, 1, 1});
  expectBox(mapOf(p, {200, 100}).toPicture(50, 0, 100, 50), {0.5F, -0.5F, 1, 0.5F});
  p.anchor = LetterboxAnchor::top_left;
  expectBox(mapOf(p, {200, 100}).toPicture(0, 0, 100, 50), {0, 0, 1, 1});
  expectBox(mapOf(p, {100, 200}).toPicture(0, 0, 50, 100), {0, 0, 1, 1});
}

TEST(PixelMap, CropVariants) {
  // A 200x100 picture, half of the centre square: pixels 75..125 x 25..75.
  Preprocessing p = network(10, 10, ResizeRule::crop);
  p.crop_fraction = 0.5;
  expectBox(mapOf(p, {200, 100}).toPicture(0, 0, 10, 10), {0.375F, 0.25F, 0.625F, 0.75F});
  // Short side to 20, so 40x20; the centre 10x10 starts at (15, 5).
  p.resize_to = 20;
  expectBox(mapOf(p, {200, 100}).toPicture(0, 0, 10, 10), {0.375F, 0.25F, 0.625F, 0.75F});
  // Both to 20: the centre starts at (5, 5) of 20x20.
  p.resize_both = true;
  expectBox(mapOf(p, {200, 100}).toPicture(0, 0, 10, 10), {0.25F, 0.25F, 0.75F, 0.75F});
}

TEST(FitImage, LetterboxFillsTheBorder) {
  Preprocessing p = network(8, 8, ResizeRule::letterbox);
  const auto fitted = fitImage(makeImage({16, 8}, 10, 20, 30), p);
  ASSERT_TRUE(fitted.ok());
  for (std::int64_t y = 0; y < 8; ++y) {
    const bool border = y < 2 || y >= 6;
    EXPECT_EQ(sampleAt(*fitted, 3, y, 0), border ? 114 : 10) << y;
    EXPECT_EQ(sampleAt(*fitted, 3, y, 2), border ? 114 : 30) << y;
  }
}

TEST(FitImage, CropTakesTheCentre) {
  const Image image = noise({10, 6}, 9);
  Preprocessing p = network(4, 4, ResizeRule::crop);
  // A fraction whose part is exactly the network's size copies pixels.
  p.crop_fraction = 4.0 / 6.0;
  auto fitted = fitImage(image, p);
  ASSERT_TRUE(fitted.ok());
  for (std::int64_t y = 0; y < 4; ++y) {
    for (std::int64_t x = 0; x < 4; ++x) {
      EXPECT_EQ(sampleAt(*fitted, x, y, 0), sampleAt(image, x + 3, y + 1, 0));
    }
  }
  // The short side already has the size to resize to: only the crop is left.
  p.resize_to = 6;
  auto resized = fitImage(image, p);
  ASSERT_TRUE(resized.ok());
  EXPECT_EQ(*resized, *fitted);
}

TEST(FitImage, EveryRuleGivesTheNetworksSizeForOddPictures) {
  std::mt19937 random(10);
  for (int round = 0; round < 60; ++round) {
    Preprocessing p = network(static_cast<std::int64_t>(1 + random() % 33),
                              static_cast<std::int64_t>(1 + random() % 33),
                              static_cast<ResizeRule>(random() % 3));
    p.resize_to = random() % 2 == 0 ? 0 : 40;
    p.resize_both = random() % 2 == 0;
    p.crop_fraction = 0.1 + 0.9 * (static_cast<double>(random() % 100) / 100);
    p.resampling = static_cast<Resampling>(random() % 2);
    const ImageSize picture{static_cast<std::int64_t>(1 + random() % 70),
                            static_cast<std::int64_t>(1 + random() % 70)};
    auto fitted = fitImage(noise(picture, random()), p);
    ASSERT_TRUE(fitted.ok()) << fitted.error().message;
    EXPECT_EQ(fitted->size(), (ImageSize{p.width, p.height}));
  }
}

TEST(FitImage, AThreadOfAPictureIsRefusedNotInflated) {
  Preprocessing p = network(224, 224, ResizeRule::crop);
  p.resize_to = 256;
  auto fitted = fitImage(makeImage({2'000'000, 1}), p);
  ASSERT_FALSE(fitted.ok());
  EXPECT_NE(fitted.error().message.find("becomes 512000000x256 before the crop"), std::string::npos)
      << fitted.error().message;
  EXPECT_FALSE(makePixelMap(p, {0, 10}).ok());
  EXPECT_FALSE(makePixelMap(p, {1'000'000, 1'000'000}).ok());
}

TEST(NormalizeImage, OrderMeanAndScale) {
  Preprocessing p = network(2, 1, ResizeRule::stretch);
  Image image = makeImage({2, 1});
  image.rgb = {10, 20, 30, 40, 50, 60};
  p.mean = {1, 2, 3};
  p.scale = {1, 0.5, 2};
  const Tensor rgb = normalizeImage(image, p);
  EXPECT_EQ(rgb.shape(), (Shape{1, 3, 1, 2}));
  const std::vector<float> expected = {9, 39, 9, 24, 54, 114};
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), rgb.as<float>().begin()));
  p.order = ColorOrder::bgr;
  const Tensor bgr = normalizeImage(image, p);
  const std::vector<float> swapped = {29, 59, 9, 24, 14, 74};
  EXPECT_TRUE(std::equal(swapped.begin(), swapped.end(), bgr.as<float>().begin()));
}

TEST(NormalizeImage, UnitScaleIsTheRoundedQuotient) {
  Image image = makeImage({256, 1});
  for (std::size_t v = 0; v < 256; ++v) image.rgb[v * 3] = static_cast<std::uint8_t>(v);
  const Tensor tensor = normalizeImage(image, network(256, 1, ResizeRule::stretch));
  for (std::size_t v = 0; v < 256; ++v) {
    EXPECT_EQ(tensor.as<float>()[v], static_cast<float>(v) / 255.0F) << v;
  }
}

}  // namespace
}  // namespace narrows
