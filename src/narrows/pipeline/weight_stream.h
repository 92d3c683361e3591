#pragma once

#include <cstddef>
#include <optional>

#include "narrows/base/file_pages.h"
#include "narrows/base/result.h"
#include "narrows/bundle/bundle_pieces.h"

namespace narrows {

/// Weights of one piece on their way from the disk: what has been read goes out of the cache, what
/// comes next is fetched into it, a window of bytes ahead.
class WeightStream {
 public:
  /// Begins to fetch.
  static Result<WeightStream> open(const BundlePieces::Opened& piece, std::size_t window);

  /// Bytes among the weights, which were read for the last time. Their pages have left this
  /// process.
  void passed(ByteSpan bytes);
  /// All of them.
  void finish();

 private:
  WeightStream(FilePages pages, const BundlePieces::Opened& piece, std::size_t window)
      : pages_(std::move(pages)),
        weights_(piece.weights),
        offset_(piece.place.offset),
        window_(window) {}
  void fetchUpTo(std::size_t end);

  FilePages pages_;
  std::shared_ptr<const MappedFile> weights_;
  std::size_t offset_;
  std::size_t window_;
  std::size_t fetched_ = 0;
};

}  // namespace narrows
