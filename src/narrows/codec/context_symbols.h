#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

/// Symbols of 1 bit in units of four and of 2 bits in units of two, and back, in words of the
/// processor: what every instruction set has. All begin with unit `j`.
namespace narrows::context {

[[gnu::always_inline]] inline void splitFoursFrom(std::size_t j, const std::uint8_t* symbols,
                                                  std::size_t count, std::uint8_t* units) {
  for (; j + 4 <= count; j += 4) {
    std::uint64_t halves[2];
    std::memcpy(halves, symbols + 4 * j, 16);
    // The products move bit 0 of each byte to the top byte, without carries between them.
    constexpr std::uint64_t kGather = 0x0102040810204080;
    auto bits = static_cast<std::uint32_t>(halves[0] * kGather >> 56) |
                static_cast<std::uint32_t>(halves[1] * kGather >> 56) << 8;
    bits = (bits | bits << 8) & 0x00FF00FF;
    bits = (bits | bits << 4) & 0x0F0F0F0F;
    std::memcpy(units + j, &bits, 4);
  }
  for (; j < count; ++j) {
    const std::uint8_t* in = symbols + 4 * j;
    units[j] = static_cast<std::uint8_t>(in[0] | in[1] << 1 | in[2] << 2 | in[3] << 3);
  }
}

[[gnu::always_inline]] inline void splitTwosFrom(std::size_t j, const std::uint8_t* symbols,
                                                 std::size_t count, std::uint8_t* units) {
  for (; j + 4 <= count; j += 4) {
    std::uint64_t pairs = 0;
    std::memcpy(&pairs, symbols + 2 * j, 8);
    pairs = (pairs | pairs >> 6) & 0x000F000F000F000F;
    pairs = (pairs | pairs >> 8) & 0x0000FFFF0000FFFF;
    const auto four = static_cast<std::uint32_t>(pairs | pairs >> 16);
    std::memcpy(units + j, &four, 4);
  }
  for (; j < count; ++j) {
    units[j] = static_cast<std::uint8_t>(symbols[2 * j] | symbols[2 * j + 1] << 2);
  }
}

[[gnu::always_inline]] inline void joinFoursFrom(std::size_t j, const std::uint8_t* units,
                                                 std::size_t count, std::uint8_t* symbols) {
  for (; j < count; ++j) {
    // One bit to each byte: the products put copies of the unit where the mask picks bit 0 to 3.
    const std::uint32_t four = units[j] * 0x00204081U & 0x01010101U;
    std::memcpy(symbols + 4 * j, &four, 4);
  }
}

[[gnu::always_inline]] inline void joinTwosFrom(std::size_t j, const std::uint8_t* units,
                                                std::size_t count, std::uint8_t* symbols) {
  for (; j < count; ++j) {
    const auto two = static_cast<std::uint16_t>((units[j] | units[j] << 6) & 0x0303);
    std::memcpy(symbols + 2 * j, &two, 2);
  }
}

}  // namespace narrows::context
