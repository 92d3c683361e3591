#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "narrows/base/result.h"

namespace narrows {

static_assert(std::endian::native == std::endian::little,
              "formats are written as they lie in memory");

using ByteSpan = std::span<const std::byte>;
using ByteVector = std::vector<std::byte>;

/// Reads little-endian fields from a byte range and never past its end. Errors name the offset and
/// the field that was expected there.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : bytes_(bytes) {}

  std::size_t offset() const { return offset_; }
  std::size_t remaining() const { return bytes_.size() - offset_; }

  template <class T>
  Result<T> read(std::string_view field) {
    static_assert(std::is_trivially_copyable_v<T>);
    NARROWS_TRY(bytes, take(sizeof(T), field));
    T value;
    std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }

  /// The next `count` bytes, not copied.
  Result<ByteSpan> take(std::size_t count, std::string_view field) {
    if (count > remaining()) {
      return makeError("offset {}: {} needs {} bytes, {} are left", offset_, field, count,
                       remaining());
    }
    ByteSpan taken = bytes_.subspan(offset_, count);
    offset_ += count;
    return taken;
  }

 private:
  ByteSpan bytes_;
  std::size_t offset_ = 0;
};

/// Appends little-endian fields to a growing buffer.
class ByteWriter {
 public:
  template <class T>
  void write(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::array<std::byte, sizeof(T)> raw{};
    std::memcpy(raw.data(), &value, sizeof(T));
    bytes_.insert(bytes_.end(), raw.begin(), raw.end());
  }
  void append(ByteSpan bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }

  std::size_t size() const { return bytes_.size(); }
  ByteVector take() && { return std::move(bytes_); }
  ByteSpan view() const { return bytes_; }

 private:
  ByteVector bytes_;
};

inline ByteSpan asBytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string_view asText(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace narrows
