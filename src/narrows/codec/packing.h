#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"

/// Symbols of 1 to 8 bits as a bit string: symbol i holds bits [i * bits, (i + 1) * bits), bit k of
/// the string is bit k % 8 of byte k / 8, so low bits come first. Maps are packed in row-major
/// order, thus channel after channel. The last byte is filled up with zeros.
namespace narrows {

/// ceil(symbols * bits / 8).
constexpr std::size_t packedSize(std::size_t symbols, int bits) {
  const auto width = static_cast<std::size_t>(bits);
  return symbols / 8 * width + (symbols % 8 * width + 7) / 8;
}

/// `packed` has packedSize(symbols.size(), bits) bytes; symbols are below 2^bits. Both asserted,
/// the latter not for each symbol: higher bits of a symbol are dropped.
void packSymbols(std::span<const std::uint8_t> symbols, int bits, std::span<std::byte> packed);

/// The inverse. Fails on another size than packedSize(symbols.size(), bits) and on fill bits other
/// than zero.
Status unpackSymbols(ByteSpan packed, int bits, std::span<std::uint8_t> symbols);

}  // namespace narrows
