#include "narrows/pipeline/picture.h"

namespace narrows {

Result<const Image*> Picture::image() {
  if (!image_) {
    NARROWS_TRY(decoded, decodeImage(file_));
    image_ = std::move(decoded);
  }
  return &*image_;
}

Result<ImageSize> Picture::size() {
  if (image_) return ImageSize{image_->width, image_->height};
  return readImageSize(file_);
}

Result<ByteSpan> Picture::file() {
  if (file_.empty() && image_) {
    NARROWS_TRY(encoded, encodePng(*image_));
    file_ = std::move(encoded);
  }
  if (file_.size() > kMaxPictureFileBytes) {
    return makeError("a picture's file has {} bytes, at most {} are taken", file_.size(),
                     kMaxPictureFileBytes);
  }
  return ByteSpan(file_);
}

}  // namespace narrows
