#pragma once

#include <optional>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"
#include "narrows/vision/image.h"

namespace narrows {

/// Files of pictures are at most this long, wherever they come from.
inline constexpr std::size_t kMaxPictureFileBytes = std::size_t{32} << 20;

/// A picture on its way into a model: a file that is decoded when its samples are first wanted, or
/// samples that never were in a file.
class Picture {
 public:
  static Picture fromFile(ByteVector file) { return Picture(std::move(file), std::nullopt); }
  static Picture fromImage(Image image) { return Picture({}, std::move(image)); }

  /// The samples; fails on a file that does not decode. Valid while the picture lives.
  Result<const Image*> image();
  /// Width and height, without decoding.
  Result<ImageSize> size();
  /// The file as it came, or the samples as a PNG file when there was none. Fails on more than
  /// kMaxPictureFileBytes.
  Result<ByteSpan> file();

 private:
  Picture(ByteVector file, std::optional<Image> image)
      : file_(std::move(file)), image_(std::move(image)) {}

  ByteVector file_;
  std::optional<Image> image_;
};

}  // namespace narrows
