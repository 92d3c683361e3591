#include <cstddef>
#include <cstdint>

#include "fuzz/frame_decoder_input.h"

// Decodes hostile frames of the context coder at maximum effort.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto kInterfaces = narrows::fuzz::maximumEffortInterfaces();
  narrows::fuzz::decodeHostile(std::as_bytes(std::span(data, size)), kInterfaces);
  return 0;
}
