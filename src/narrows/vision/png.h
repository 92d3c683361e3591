#pragma once

#include "narrows/vision/image.h"

/// libpng behind the functions of image.h.
namespace narrows::png {

bool isPng(ByteSpan file);
Result<ImageSize> readSize(ByteSpan file);
Result<Image> decode(ByteSpan file);
Result<ByteVector> encode(const Image& image);

}  // namespace narrows::png
