#include "narrows/vision/image.h"

#include <gtest/gtest.h>

#include <png.h>
#include <zlib.h>

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <random>

#include <jpeglib.h>

namespace narrows {
namespace {

Image noise(ImageSize size, unsigned seed) {
  std::mt19937 random(seed);
  Image image = makeImage(size);
  for (std::uint8_t& sample : image.rgb) sample = static_cast<std::uint8_t>(random());
  return image;
}

/// Smooth colours, which JPEG keeps well.
Image gradient(ImageSize size) {
  Image image = makeImage(size);
  for (std::int64_t y = 0; y < size.height; ++y) {
    for (std::int64_t x = 0; x < size.width; ++x) {
      std::uint8_t* pixel = image.rgb.data() + (y * size.width + x) * 3;
      pixel[0] = static_cast<std::uint8_t>(x * 255 / size.width);
      pixel[1] = static_cast<std::uint8_t>(y * 255 / size.height);
      pixel[2] = 128;
    }
  }
  return image;
}

double meanDifference(const Image& a, const Image& b) {
  EXPECT_EQ(a.size(), b.size());
  double sum = 0;
  for (std::size_t i = 0; i < std::min(a.rgb.size(), b.rgb.size()); ++i) {
    sum += std::abs(static_cast<int>(a.rgb[i]) - static_cast<int>(b.rgb[i]));
  }
  return sum / static_cast<double>(a.rgb.size());
}

/// A JPEG in any of libjpeg's input colour spaces.
ByteVector jpegOf(J_COLOR_SPACE space, int components, ImageSize size,
                  const std::vector<std::uint8_t>& samples, bool progressive = false) {
  jpeg_compress_struct codec{};
  jpeg_error_mgr errors{};
  codec.err = jpeg_std_error(&errors);
  jpeg_create_compress(&codec);
  unsigned char* buffer = nullptr;
  unsigned long bytes = 0;
  jpeg_mem_dest(&codec, &buffer, &bytes);
  codec.image_width = static_cast<JDIMENSION>(size.width);
  codec.image_height = static_cast<JDIMENSION>(size.height);
  codec.input_components = components;
  codec.in_color_space = space;
  jpeg_set_defaults(&codec);
  jpeg_set_quality(&codec, 100, TRUE);
  if (progressive) jpeg_simple_progression(&codec);
  jpeg_start_compress(&codec, TRUE);
  for (std::int64_t y = 0; y < size.height; ++y) {
    JSAMPROW row = const_cast<JSAMPROW>(samples.data()) + y * size.width * components;
    jpeg_write_scanlines(&codec, &row, 1);
  }
  jpeg_finish_compress(&codec);
  jpeg_destroy_compress(&codec);
  const auto* begin = reinterpret_cast<const std::byte*>(buffer);
  ByteVector file(begin, begin + bytes);
  std::free(buffer);
  return file;
}

/// What a PNG is written from: rows as libpng takes them.
struct PngSource {
  int color_type = PNG_COLOR_TYPE_RGB;
  int depth = 8;
  ImageSize size;
  std::vector<std::uint8_t> samples;
  std::vector<png_color> palette = {};
  int interlace = PNG_INTERLACE_NONE;
};

ByteVector pngOf(PngSource source) {
  png_structp codec = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(codec);
  ByteVector file;
  const auto append = [](png_structp writer, png_bytep bytes, std::size_t count) {
    auto* target = static_cast<ByteVector*>(png_get_io_ptr(writer));
    const auto* begin = reinterpret_cast<const std::byte*>(bytes);
    target->insert(target->end(), begin, begin + count);
  };
  png_set_write_fn(codec, &file, append, nullptr);
  png_set_IHDR(codec, info, static_cast<png_uint_32>(source.size.width),
               static_cast<png_uint_32>(source.size.height), source.depth, source.color_type,
               source.interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (!source.palette.empty()) {
    png_set_PLTE(codec, info, source.palette.data(), static_cast<int>(source.palette.size()));
  }
  png_write_info(codec, info);
  const std::size_t row_bytes = png_get_rowbytes(codec, info);
  std::vector<png_bytep> rows;
  for (std::int64_t y = 0; y < source.size.height; ++y) {
    rows.push_back(source.samples.data() + static_cast<std::size_t>(y) * row_bytes);
  }
  png_write_image(codec, rows.data());
  png_write_end(codec, info);
  png_destroy_write_struct(&codec, &info);
  return file;
}

std::vector<std::uint8_t> decodePng(PngSource source) {
  auto image = decodeImage(pngOf(std::move(source)));
  EXPECT_TRUE(image.ok()) << image.error().message;
  return image.ok() ? image->rgb : std::vector<std::uint8_t>{};
}

using Samples = std::vector<std::uint8_t>;

TEST(Png, RoundTripIsExact) {
  for (const ImageSize size : {ImageSize{1, 1}, ImageSize{7, 3}, ImageSize{64, 65}}) {
    const Image image = noise(size, 1);
    auto file = encodePng(image);
    ASSERT_TRUE(file.ok());
    auto size_read = readImageSize(*file);
    ASSERT_TRUE(size_read.ok());
    EXPECT_EQ(*size_read, size);
    auto again = decodeImage(*file);
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(*again, image);
  }
}

TEST(Png, EveryColourTypeBecomesRgb) {
  EXPECT_EQ(decodePng({PNG_COLOR_TYPE_GRAY, 8, {2, 1}, {10, 200}}),
            (Samples{10, 10, 10, 200, 200, 200}));
  EXPECT_EQ(decodePng({PNG_COLOR_TYPE_GRAY, 1, {2, 1}, {0x40}}), (Samples{0, 0, 0, 255, 255, 255}));
  EXPECT_EQ(decodePng({PNG_COLOR_TYPE_GRAY, 16, {1, 1}, {0x12, 0x34}}),
            (Samples{0x12, 0x12, 0x12}));
  EXPECT_EQ(decodePng({PNG_COLOR_TYPE_GRAY_ALPHA, 8, {1, 1}, {9, 0}}), (Samples{9, 9, 9}));
  EXPECT_EQ(decodePng({PNG_COLOR_TYPE_RGB_ALPHA, 8, {1, 1}, {1, 2, 3, 0}}), (Samples{1, 2, 3}));
  EXPECT_EQ(decodePng({PNG_COLOR_TYPE_RGB, 16, {1, 1}, {1, 99, 2, 99, 3, 99}}), (Samples{1, 2, 3}));
  EXPECT_EQ(decodePng({PNG_COLOR_TYPE_PALETTE, 4, {2, 1}, {0x10}, {{1, 2, 3}, {4, 5, 6}}}),
            (Samples{4, 5, 6, 1, 2, 3}));
}

TEST(Png, InterlacedIsTheSamePicture) {
  const Image image = noise({13, 11}, 2);
  PngSource source{PNG_COLOR_TYPE_RGB, 8, image.size(), image.rgb};
  source.interlace = PNG_INTERLACE_ADAM7;
  EXPECT_EQ(decodePng(source), image.rgb);
}

TEST(Jpeg, RoundTripIsClose) {
  const Image image = gradient({61, 47});
  auto file = encodeJpeg(image, 95);
  ASSERT_TRUE(file.ok());
  auto size = readImageSize(*file);
  ASSERT_TRUE(size.ok());
  EXPECT_EQ(*size, image.size());
  auto again = decodeImage(*file);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_LT(meanDifference(image, *again), 2.0);
  auto coarse = encodeJpeg(image, 10);
  ASSERT_TRUE(coarse.ok());
  EXPECT_LT(coarse->size(), file->size());
  EXPECT_FALSE(encodeJpeg(image, 0).ok());
  EXPECT_FALSE(encodeJpeg(image, 101).ok());
}

TEST(Jpeg, GreyIsSpreadAndProgressiveIsTheSame) {
  auto grey = decodeImage(jpegOf(JCS_GRAYSCALE, 1, {16, 8}, Samples(128, 77)));
  ASSERT_TRUE(grey.ok()) << grey.error().message;
  EXPECT_EQ(grey->rgb, Samples(16 * 8 * 3, 77));

  const Image image = gradient({40, 33});
  auto baseline = decodeImage(jpegOf(JCS_RGB, 3, image.size(), image.rgb));
  auto progressive = decodeImage(jpegOf(JCS_RGB, 3, image.size(), image.rgb, true));
  ASSERT_TRUE(baseline.ok());
  ASSERT_TRUE(progressive.ok()) << progressive.error().message;
  EXPECT_EQ(*baseline, *progressive);
}

// libjpeg writes an Adobe marker for CMYK, so samples are light: 255 is no ink.
TEST(Jpeg, FourInksBecomeRgb) {
  Samples samples;
  for (int i = 0; i < 64; ++i) samples.insert(samples.end(), {255, 128, 0, 255});
  auto image = decodeImage(jpegOf(JCS_CMYK, 4, {8, 8}, samples));
  ASSERT_TRUE(image.ok()) << image.error().message;
  EXPECT_NEAR(image->rgb[0], 255, 1);
  EXPECT_NEAR(image->rgb[1], 128, 1);
  EXPECT_NEAR(image->rgb[2], 0, 1);
  for (std::size_t i = 3; i < samples.size(); i += 4) samples[i] = 0;
  auto black = decodeImage(jpegOf(JCS_CMYK, 4, {8, 8}, samples));
  ASSERT_TRUE(black.ok());
  EXPECT_NEAR(black->rgb[0], 0, 1);
}

TEST(HostileImages, NeitherFormatIsNamed) {
  for (const std::string_view text : {"", "GIF89a", "\xFF\xD8", "\x89PNG"}) {
    auto image = decodeImage(asBytes(text));
    ASSERT_FALSE(image.ok());
    EXPECT_NE(image.error().message.find("neither a JPEG nor a PNG"), std::string::npos);
    EXPECT_FALSE(readImageSize(asBytes(text)).ok());
  }
}

TEST(HostileImages, EveryTruncationIsAnError) {
  const Image image = noise({24, 18}, 3);
  for (const ByteVector& file : {*encodePng(image), *encodeJpeg(image, 80),
                                 jpegOf(JCS_RGB, 3, image.size(), image.rgb, true)}) {
    ASSERT_TRUE(decodeImage(file).ok());
    for (std::size_t length = 0; length < file.size() - 2; ++length) {
      EXPECT_FALSE(decodeImage(ByteSpan(file).first(length)).ok()) << length << " bytes";
    }
  }
}

// The sanitizers watch; the result may be a picture or an error.
TEST(HostileImages, DamagedBytesNeverCrash) {
  const Image image = noise({24, 18}, 4);
  std::mt19937 random(5);
  for (const ByteVector& file : {*encodePng(image), *encodeJpeg(image, 80),
                                 jpegOf(JCS_RGB, 3, image.size(), image.rgb, true)}) {
    for (int round = 0; round < 300; ++round) {
      ByteVector damaged = file;
      for (int i = 0; i < 3; ++i) damaged[random() % damaged.size()] = std::byte(random() & 0xFF);
      auto result = decodeImage(damaged);
      if (result.ok()) {
        EXPECT_EQ(result->rgb.size(), static_cast<std::size_t>(result->width * result->height * 3));
      }
    }
  }
}

// 61,440 x 61,440 pixels, which both formats allow.
TEST(HostileImages, HugeExtentsAreRefusedFromTheHeader) {
  ByteVector jpeg = *encodeJpeg(gradient({16, 16}), 80);
  // Height and width follow the frame header's marker, length and precision.
  std::size_t frame = 0;
  while (jpeg[frame] != std::byte{0xFF} || jpeg[frame + 1] != std::byte{0xC0}) ++frame;
  for (std::size_t at : {frame + 5, frame + 7}) {
    jpeg[at] = std::byte{0xF0};
    jpeg[at + 1] = std::byte{0};
  }
  // After the signature: length, "IHDR", width, height, five more bytes, checksum from "IHDR" on.
  ByteVector png = *encodePng(gradient({16, 16}));
  for (std::size_t at : {18, 22}) png[at] = std::byte{0xF0};
  for (std::size_t at : {19, 23}) png[at] = std::byte{0};
  const auto checksum = crc32(0, reinterpret_cast<const Bytef*>(png.data()) + 12, 17);
  for (std::size_t i = 0; i < 4; ++i) png[29 + i] = std::byte((checksum >> (24 - 8 * i)) & 0xFF);
  for (const ByteVector& file : {jpeg, png}) {
    ASSERT_FALSE(decodeImage(file).ok());
    ASSERT_FALSE(readImageSize(file).ok());
    EXPECT_NE(
        decodeImage(file).error().message.find(": 61440x61440 pixels; expected 1 to 67108864"),
        std::string::npos)
        << decodeImage(file).error().message;
  }
}

}  // namespace
}  // namespace narrows
