#pragma once

#include <cstdint>
#include <string_view>

#include "narrows/base/result.h"
#include "narrows/vision/image.h"

namespace narrows {

/// File formats in which a camera could send the picture itself.
enum class PictureFormat : std::uint8_t { jpeg, webp };

/// "jpeg" or "webp".
std::string_view toString(PictureFormat format);

/// A picture as its receiver sees it, and the bytes of its file, which has no metadata.
struct RecodedPicture {
  Image image;
  std::size_t bytes = 0;
};

/// Codes and decodes a picture. `quality` 1..100. WebP at its slowest method (6).
Result<RecodedPicture> recode(const Image& image, PictureFormat format, int quality);

}  // namespace narrows
