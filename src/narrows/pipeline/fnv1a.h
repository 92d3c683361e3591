#pragma once

#include <cstdint>
#include <string_view>

#include "narrows/base/byte_io.h"

namespace narrows {

/// 64-bit FNV-1a (Fowler, Noll, Vo): tells accidental changes apart, not malicious ones.
class Fnv1a {
 public:
  void add(ByteSpan bytes) {
    for (const std::byte byte : bytes) {
      hash_ = (hash_ ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3ULL;
    }
  }
  void add(std::uint64_t value) { add(std::as_bytes(std::span(&value, 1))); }
  /// With its length, so that neighbouring texts do not run together.
  void add(std::string_view text) {
    add(std::uint64_t{text.size()});
    add(asBytes(text));
  }
  std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

}  // namespace narrows
