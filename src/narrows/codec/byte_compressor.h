#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"

/// Adapters of general-purpose compressors to one interface, each in the smallest form its library
/// offers: no size, checksum or magic, since the frame has the one and the interface the other.
namespace narrows {

/// Compresses byte strings of one length. Keeps the library's state from call to call.
class ByteCompressor {
 public:
  virtual ~ByteCompressor() = default;

  /// Appends the compressed form of `bytes` to `out`. False, with `out` as it was, when it would
  /// take more than `limit` bytes.
  virtual Result<bool> compress(ByteSpan bytes, std::size_t limit, ByteVector& out) = 0;
  /// Fills `bytes`; fails unless `code` is well-formed and gives exactly that many.
  virtual Status decompress(ByteSpan code, std::span<std::byte> bytes) = 0;

 protected:
  ByteCompressor() = default;
  ByteCompressor(const ByteCompressor&) = delete;
  ByteCompressor& operator=(const ByteCompressor&) = delete;
};

/// Raw DEFLATE (RFC 1951) by libdeflate. `level` is 1 to 12.
Result<std::unique_ptr<ByteCompressor>> makeDeflate(int level);
/// LZMA without header and end marker, dictionary no larger than the data, by liblzma. `level` is 0
/// to 9, or 10 to 19 for the same with the "extreme" flag. For strings of `length` bytes.
Result<std::unique_ptr<ByteCompressor>> makeLzma(int level, std::size_t length);
/// Zstandard (RFC 8878) frame without magic number, content size and checksum, by libzstd. `level`
/// is 1 to 22.
Result<std::unique_ptr<ByteCompressor>> makeZstd(int level);

}  // namespace narrows
