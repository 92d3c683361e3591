#include "narrows/codec/packing.h"

#include <cstring>

#include "narrows/base/assert.h"

namespace narrows {
namespace {

/// Eight symbols become `Bits` bytes: the unit in which symbols and bytes line up.
template <int Bits>
void packGroups(const std::uint8_t* symbols, std::size_t groups, std::byte* packed) {
  constexpr std::uint64_t kMask = (1U << Bits) - 1;
  for (std::size_t g = 0; g < groups; ++g) {
    std::uint64_t word = 0;
    for (int i = 0; i < 8; ++i) {
      word |= (symbols[g * 8 + static_cast<std::size_t>(i)] & kMask) << (i * Bits);
    }
    std::memcpy(packed + g * Bits, &word, Bits);
  }
}

template <int Bits>
void unpackGroups(const std::byte* packed, std::size_t groups, std::uint8_t* symbols) {
  constexpr std::uint64_t kMask = (1U << Bits) - 1;
  for (std::size_t g = 0; g < groups; ++g) {
    std::uint64_t word = 0;
    std::memcpy(&word, packed + g * Bits, Bits);
    for (int i = 0; i < 8; ++i) {
      symbols[g * 8 + static_cast<std::size_t>(i)] =
          static_cast<std::uint8_t>((word >> (i * Bits)) & kMask);
    }
  }
}

/// Whole groups in place; the rest through a group filled up with zeros.
template <int Bits>
void pack(std::span<const std::uint8_t> symbols, std::span<std::byte> packed) {
  const std::size_t groups = symbols.size() / 8;
  packGroups<Bits>(symbols.data(), groups, packed.data());
  const std::size_t rest = symbols.size() % 8;
  if (rest == 0) return;
  std::uint8_t last[8] = {};
  std::byte bytes[Bits];
  std::memcpy(last, symbols.data() + groups * 8, rest);
  packGroups<Bits>(last, 1, bytes);
  std::memcpy(packed.data() + groups * Bits, bytes, packed.size() - groups * Bits);
}

/// False when a fill bit is set.
template <int Bits>
bool unpack(ByteSpan packed, std::span<std::uint8_t> symbols) {
  const std::size_t groups = symbols.size() / 8;
  unpackGroups<Bits>(packed.data(), groups, symbols.data());
  const std::size_t rest = symbols.size() % 8;
  if (rest == 0) return true;
  std::byte bytes[Bits] = {};
  std::uint8_t last[8];
  std::memcpy(bytes, packed.data() + groups * Bits, packed.size() - groups * Bits);
  unpackGroups<Bits>(bytes, 1, last);
  std::memcpy(symbols.data() + groups * 8, last, rest);
  // Symbols past the end are where the fill bits went.
  for (std::size_t i = rest; i < 8; ++i) {
    if (last[i] != 0) return false;
  }
  return true;
}

}  // namespace

void packSymbols(std::span<const std::uint8_t> symbols, int bits, std::span<std::byte> packed) {
  NARROWS_ASSERT(packed.size() == packedSize(symbols.size(), bits));
  switch (bits) {
    case 1:
      return pack<1>(symbols, packed);
    case 2:
      return pack<2>(symbols, packed);
    case 3:
      return pack<3>(symbols, packed);
    case 4:
      return pack<4>(symbols, packed);
    case 5:
      return pack<5>(symbols, packed);
    case 6:
      return pack<6>(symbols, packed);
    case 7:
      return pack<7>(symbols, packed);
    case 8:
      if (!symbols.empty()) std::memcpy(packed.data(), symbols.data(), symbols.size());
      return;
    default:
      NARROWS_ASSERT(bits >= 1 && bits <= 8);
  }
}

Status unpackSymbols(ByteSpan packed, int bits, std::span<std::uint8_t> symbols) {
  const std::size_t expected = packedSize(symbols.size(), bits);
  if (packed.size() != expected) {
    return makeError("{} bytes of packed symbols, expected {} for {} symbols of {} bits",
                     packed.size(), expected, symbols.size(), bits);
  }
  const auto dispatch = [&] {
    switch (bits) {
      case 1:
        return unpack<1>(packed, symbols);
      case 2:
        return unpack<2>(packed, symbols);
      case 3:
        return unpack<3>(packed, symbols);
      case 4:
        return unpack<4>(packed, symbols);
      case 5:
        return unpack<5>(packed, symbols);
      case 6:
        return unpack<6>(packed, symbols);
      case 7:
        return unpack<7>(packed, symbols);
      default:
        NARROWS_ASSERT(bits == 8);
        if (!symbols.empty()) std::memcpy(symbols.data(), packed.data(), symbols.size());
        return true;
    }
  };
  if (!dispatch()) return makeError("the last byte of packed symbols has fill bits other than 0");
  return {};
}

}  // namespace narrows
