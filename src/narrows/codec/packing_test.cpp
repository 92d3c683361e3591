#include "narrows/codec/packing.h"

#include <gtest/gtest.h>

#include "narrows/codec/test_maps.h"

namespace narrows {
namespace {

/// The definition: symbol i holds bits [i * bits, (i + 1) * bits) of the string.
ByteVector packBitByBit(const std::vector<std::uint8_t>& symbols, int bits) {
  ByteVector packed((symbols.size() * static_cast<std::size_t>(bits) + 7) / 8);
  std::size_t position = 0;
  for (const std::uint8_t symbol : symbols) {
    for (int bit = 0; bit < bits; ++bit, ++position) {
      if ((symbol >> bit & 1) != 0) packed[position / 8] |= std::byte{1} << (position % 8);
    }
  }
  return packed;
}

TEST(Packing, EqualsTheBitStringOfTheDefinitionAtEveryWidthAndLength) {
  const std::uint32_t seed = test::propertySeed();
  SCOPED_TRACE(test::seedTrace(seed));
  std::mt19937 random(seed);
  for (int bits = 1; bits <= 8; ++bits) {
    for (const std::size_t length : {0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 63, 64, 65, 1000}) {
      SCOPED_TRACE(testing::Message() << bits << " bits, " << length << " symbols");
      std::vector<std::uint8_t> symbols(length);
      for (std::uint8_t& s : symbols) s = static_cast<std::uint8_t>(random() & ((1U << bits) - 1));
      ByteVector packed(packedSize(length, bits));
      packSymbols(symbols, bits, packed);
      EXPECT_EQ(packed, packBitByBit(symbols, bits));
      std::vector<std::uint8_t> unpacked(length, 0xEE);
      ASSERT_TRUE(unpackSymbols(packed, bits, unpacked).ok());
      EXPECT_EQ(unpacked, symbols);
    }
  }
}

TEST(Packing, RefusesOtherSizes) {
  std::vector<std::uint8_t> symbols(10);
  const ByteVector packed(3);
  const Status status = unpackSymbols(packed, 3, symbols);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message,
            "3 bytes of packed symbols, expected 4 for 10 symbols of 3 bits");
}

TEST(Packing, RefusesFillBitsThatAreSet) {
  for (int bits = 1; bits <= 7; ++bits) {
    std::vector<std::uint8_t> symbols(3);
    ByteVector packed(packedSize(3, bits));
    const std::size_t used = 3 * static_cast<std::size_t>(bits);
    for (std::size_t bit = used; bit < packed.size() * 8; ++bit) {
      ByteVector damaged = packed;
      damaged[bit / 8] |= std::byte{1} << (bit % 8);
      EXPECT_FALSE(unpackSymbols(damaged, bits, symbols).ok()) << bits << " bits, bit " << bit;
    }
  }
}

}  // namespace
}  // namespace narrows
