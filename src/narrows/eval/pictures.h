#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/data/dataset.h"
#include "narrows/vision/image.h"
#include "narrows/vision/preprocess.h"

namespace narrows {

/// A picture made ready for a network.
struct FittedPicture {
  /// 8-bit, at the network's size.
  Image image;
  /// Of the file, pixels.
  ImageSize original;
  /// Of the file.
  std::size_t file_bytes = 0;
};

/// Reads the pictures of a data set at a network's size, and keeps them while that takes no more
/// than kCacheLimit bytes, so that many passes over a set decode each file once. `get` may be
/// called by several threads for different indices.
class PictureSource {
 public:
  static constexpr std::size_t kCacheLimit = std::size_t{1} << 30;

  PictureSource(std::span<const DataItem> items, const Preprocessing& preprocessing);

  std::size_t size() const { return items_.size(); }
  Result<FittedPicture> get(std::size_t index);

 private:
  std::span<const DataItem> items_;
  Preprocessing preprocessing_;
  std::vector<std::optional<FittedPicture>> cache_;
};

}  // namespace narrows
