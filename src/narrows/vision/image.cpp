#include "narrows/vision/image.h"

#include "narrows/vision/jpeg.h"
#include "narrows/vision/png.h"

namespace narrows {
namespace {

Error notAPicture(ByteSpan file) {
  return makeError(
      "neither a JPEG nor a PNG file ({} bytes; first bytes are not the signature of either)",
      file.size());
}

bool isWhole(const Image& image) {
  return image.width > 0 && image.height > 0 && image.width <= kMaxPixels / image.height &&
         image.rgb.size() == static_cast<std::size_t>(image.width * image.height * 3);
}

}  // namespace

Image makeImage(ImageSize size, std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
  NARROWS_ASSERT(size.width > 0 && size.height > 0 && size.width <= kMaxPixels / size.height);
  Image image{size.width, size.height, {}};
  image.rgb.resize(static_cast<std::size_t>(size.width * size.height * 3));
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) {
    image.rgb[i] = red;
    image.rgb[i + 1] = green;
    image.rgb[i + 2] = blue;
  }
  return image;
}

Result<Image> decodeImage(ByteSpan file) {
  if (jpeg::isJpeg(file)) return jpeg::decode(file).within("JPEG");
  if (png::isPng(file)) return png::decode(file).within("PNG");
  return notAPicture(file);
}

Result<ImageSize> readImageSize(ByteSpan file) {
  if (jpeg::isJpeg(file)) return jpeg::readSize(file).within("JPEG");
  if (png::isPng(file)) return png::readSize(file).within("PNG");
  return notAPicture(file);
}

Result<ByteVector> encodeJpeg(const Image& image, int quality) {
  NARROWS_ASSERT(isWhole(image));
  if (quality < 1 || quality > 100) return makeError("JPEG quality {} is not in 1..100", quality);
  return jpeg::encode(image, quality).within("JPEG");
}

Result<ByteVector> encodePng(const Image& image) {
  NARROWS_ASSERT(isWhole(image));
  return png::encode(image).within("PNG");
}

}  // namespace narrows
