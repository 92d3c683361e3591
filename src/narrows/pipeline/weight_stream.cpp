#include "narrows/pipeline/weight_stream.h"

#include <algorithm>

namespace narrows {

Result<WeightStream> WeightStream::open(const BundlePieces::Opened& piece, std::size_t window) {
  NARROWS_TRY(pages, FilePages::open(piece.place.path));
  WeightStream stream(std::move(pages), piece, window);
  readOnlyTouchedPages(piece.weights->bytes());
  stream.fetchUpTo(window);
  return stream;
}

void WeightStream::fetchUpTo(std::size_t end) {
  end = std::min(end, weights_->bytes().size());
  if (end <= fetched_) return;
  pages_.fetch(offset_ + fetched_, end - fetched_);
  fetched_ = end;
}

void WeightStream::passed(ByteSpan bytes) {
  const auto begin = static_cast<std::size_t>(bytes.data() - weights_->bytes().data());
  pages_.drop(offset_ + begin, bytes.size());
  fetchUpTo(begin + bytes.size() + window_);
}

void WeightStream::finish() {
  releasePages(weights_->bytes());
  pages_.drop(offset_, weights_->bytes().size());
}

}  // namespace narrows
