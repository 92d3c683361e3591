#include "narrows/eval/recode.h"

#include <webp/decode.h>
#include <webp/encode.h>

#include <memory>

namespace narrows {
namespace {

Result<RecodedPicture> throughJpeg(const Image& image, int quality) {
  NARROWS_TRY(file, encodeJpeg(image, quality));
  NARROWS_TRY(decoded, decodeImage(file));
  return RecodedPicture{std::move(decoded), file.size()};
}

struct PictureDeleter {
  void operator()(WebPPicture* picture) const { WebPPictureFree(picture); }
};

Result<RecodedPicture> throughWebp(const Image& image, int quality) {
  WebPConfig config;
  WebPPicture picture;
  if (!WebPConfigPreset(&config, WEBP_PRESET_DEFAULT, static_cast<float>(quality)) ||
      !WebPPictureInit(&picture)) {
    return makeError("libwebp: expected its version {:x}", WEBP_ENCODER_ABI_VERSION);
  }
  const std::unique_ptr<WebPPicture, PictureDeleter> held(&picture);
  config.method = 6;
  WebPMemoryWriter writer;
  WebPMemoryWriterInit(&writer);
  const std::unique_ptr<WebPMemoryWriter, decltype(&WebPMemoryWriterClear)> written(
      &writer, &WebPMemoryWriterClear);
  picture.width = static_cast<int>(image.width);
  picture.height = static_cast<int>(image.height);
  picture.writer = WebPMemoryWrite;
  picture.custom_ptr = &writer;
  if (!WebPPictureImportRGB(&picture, image.rgb.data(), picture.width * 3) ||
      !WebPEncode(&config, &picture)) {
    return makeError("libwebp cannot code a picture of {} x {} (its error {})", image.width,
                     image.height, static_cast<int>(picture.error_code));
  }
  RecodedPicture recoded{makeImage(image.size()), writer.size};
  if (WebPDecodeRGBInto(writer.mem, writer.size, recoded.image.rgb.data(), recoded.image.rgb.size(),
                        picture.width * 3) == nullptr) {
    return makeError("libwebp cannot read what it wrote");
  }
  return recoded;
}

}  // namespace

std::string_view toString(PictureFormat format) {
  return format == PictureFormat::jpeg ? "jpeg" : "webp";
}

Result<RecodedPicture> recode(const Image& image, PictureFormat format, int quality) {
  if (quality < 1 || quality > 100) return makeError("quality {}: expected 1 to 100", quality);
  return format == PictureFormat::jpeg ? throughJpeg(image, quality) : throughWebp(image, quality);
}

}  // namespace narrows
