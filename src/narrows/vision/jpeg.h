#pragma once

#include "narrows/vision/image.h"

/// libjpeg-turbo behind the functions of image.h.
namespace narrows::jpeg {

bool isJpeg(ByteSpan file);
Result<ImageSize> readSize(ByteSpan file);
Result<Image> decode(ByteSpan file);
Result<ByteVector> encode(const Image& image, int quality);

}  // namespace narrows::jpeg
