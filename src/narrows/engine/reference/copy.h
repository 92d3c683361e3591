#pragma once

#include <cstring>

#include "narrows/engine/reference/kernel.h"

/// Kernels that move elements and do not look at them: one for each size, whatever the dtype.
namespace narrows::reference {

template <std::size_t Bytes>
struct Size {
  static constexpr std::size_t kBytes = Bytes;
};

/// `make(Size<byteSize(dtype)>)`.
template <class Make>
Kernel forSize(DType dtype, Make&& make) {
  switch (byteSize(dtype)) {
    case 1:
      return make(Size<1>());
    case 2:
      return make(Size<2>());
    case 4:
      return make(Size<4>());
    default:
      return make(Size<8>());
  }
}

/// to[to_index] = from[from_index], for elements of `Bytes`.
template <std::size_t Bytes>
void copyElement(std::byte* to, std::int64_t to_index, const std::byte* from,
                 std::int64_t from_index) {
  constexpr auto kBytes = static_cast<std::int64_t>(Bytes);
  std::memcpy(to + to_index * kBytes, from + from_index * kBytes, Bytes);
}

/// memcpy that accepts a null pointer for no bytes.
inline void copyBytes(std::byte* to, const std::byte* from, std::int64_t count) {
  if (count > 0) std::memcpy(to, from, static_cast<std::size_t>(count));
}

}  // namespace narrows::reference
