#include <cstddef>
#include <cstdint>

#include "fuzz/frame_decoder_input.h"

// Decodes hostile frames of every coder at its default level.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto kInterfaces = narrows::fuzz::frameDecoderInterfaces();
  narrows::fuzz::decodeHostile(std::as_bytes(std::span(data, size)), kInterfaces);
  return 0;
}
