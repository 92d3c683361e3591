#pragma once

#include <cstdint>
#include <vector>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"

/// Pictures as 8-bit RGB, and the two file formats they come in.
namespace narrows {

/// Pixels.
struct ImageSize {
  std::int64_t width = 0;
  std::int64_t height = 0;
  friend bool operator==(const ImageSize&, const ImageSize&) = default;
};

/// 8-bit sRGB samples, interleaved R, G, B, rows from the top without gaps: width * height * 3.
struct Image {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::vector<std::uint8_t> rgb;

  ImageSize size() const { return {width, height}; }
  friend bool operator==(const Image&, const Image&) = default;
};

/// Largest picture that is decoded or made, pixels: 192 MB of samples.
constexpr std::int64_t kMaxPixels = std::int64_t{64} << 20;

/// A picture of one colour. Asserts 0 < width * height <= kMaxPixels.
Image makeImage(ImageSize size, std::uint8_t red = 0, std::uint8_t green = 0,
                std::uint8_t blue = 0);

/// Decodes a JPEG (grey, YCbCr, RGB, CMYK, YCCK) or PNG (every colour type and depth) file. Grey is
/// spread over the three channels, alpha is dropped, 16-bit samples keep their high byte. EXIF
/// orientation and colour profiles are ignored. Fails on anything else, on more than kMaxPixels,
/// and on a damaged or truncated file.
Result<Image> decodeImage(ByteSpan file);

/// Extents from the file's header; no pixel is decoded. Limits as `decodeImage`.
Result<ImageSize> readImageSize(ByteSpan file);

/// Baseline JPEG with 4:2:0 chroma; `quality` 1..100.
Result<ByteVector> encodeJpeg(const Image& image, int quality);
/// 8-bit RGB PNG, without loss.
Result<ByteVector> encodePng(const Image& image);

}  // namespace narrows
