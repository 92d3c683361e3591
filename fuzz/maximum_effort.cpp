#include <cstddef>
#include <cstdint>
#include <span>

#include "fuzz/frame_decoder_input.h"

// Decodes hostile frames of the context coder at maximum effort.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static narrows::fuzz::HostileDecoder decoder(narrows::fuzz::maximumEffortInterfaces());
  decoder.decode(std::as_bytes(std::span(data, size)));
  return 0;
}
