#include <cstddef>
#include <cstdint>
#include <span>

#include "fuzz/frame_decoder_input.h"

// Decodes hostile frames of every coder at its default level.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static narrows::fuzz::HostileDecoder decoder(narrows::fuzz::frameDecoderInterfaces());
  decoder.decode(std::as_bytes(std::span(data, size)));
  return 0;
}
