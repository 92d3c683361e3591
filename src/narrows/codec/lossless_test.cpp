#include "narrows/codec/lossless.h"

#include <gtest/gtest.h>

#include "narrows/codec/test_maps.h"

namespace narrows {
namespace {

constexpr CoderKind kCoders[] = {CoderKind::raw, CoderKind::deflate, CoderKind::lzma,
                                 CoderKind::zstd, CoderKind::context};

std::unique_ptr<LosslessCoder> coderFor(CoderKind kind, const SymbolLayout& layout,
                                        int level = -1) {
  auto coder = makeCoder({kind, level}, layout);
  NARROWS_ASSERT(coder.ok());
  return std::move(*coder);
}

using test::kNoLimit;

TEST(LosslessCoders, GiveBackEveryMapOfEveryShapeAndWidth) {
  const std::uint32_t seed = test::propertySeed();
  SCOPED_TRACE(test::seedTrace(seed));
  std::mt19937 random(seed);
  const SymbolLayout shapes[] = {{0, 4, 4}, {3, 0, 5}, {1, 1, 1},  {1, 1, 7},   {5, 1, 1},
                                 {2, 3, 5}, {4, 8, 8}, {16, 7, 9}, {3, 31, 33}, {8, 26, 26}};
  for (SymbolLayout layout : shapes) {
    for (layout.bits = 1; layout.bits <= 8; ++layout.bits) {
      for (const CoderKind kind : kCoders) {
        const auto coder = coderFor(kind, layout);
        for (const test::MapKind map : test::kMapKinds) {
          SCOPED_TRACE(testing::Message() << toString(kind) << ' ' << layout.planes << 'x'
                                          << layout.height << 'x' << layout.width << ", "
                                          << layout.bits << " bits, map " << static_cast<int>(map));
          const std::vector<std::uint8_t> symbols = test::symbolMap(layout, map, random);
          ByteVector code = {std::byte{0xAB}};
          const auto fits = coder->encode(symbols, kNoLimit, code);
          ASSERT_TRUE(fits.ok()) << fits.error().message;
          ASSERT_TRUE(*fits);
          ASSERT_EQ(code[0], std::byte{0xAB});
          std::vector<std::uint8_t> decoded(symbols.size(), 0xEE);
          const Status status = coder->decode(ByteSpan(code).subspan(1), decoded);
          ASSERT_TRUE(status.ok()) << status.error().message;
          ASSERT_EQ(decoded, symbols);
        }
      }
    }
  }
}

TEST(LosslessCoders, CodeTheSameAtEveryLevelAndDecodeWithAnother) {
  const SymbolLayout layout{4, 13, 13, 3};
  std::mt19937 random(test::propertySeed());
  const std::vector<std::uint8_t> symbols = test::symbolMap(layout, test::MapKind::smooth, random);
  for (const CoderKind kind : kCoders) {
    const LevelRange range = levelRange(kind);
    const auto decoder = coderFor(kind, layout);
    for (int level = range.lowest; level <= range.highest; ++level) {
      ByteVector code;
      ASSERT_TRUE(*coderFor(kind, layout, level)->encode(symbols, kNoLimit, code));
      std::vector<std::uint8_t> decoded(symbols.size());
      const Status status = decoder->decode(code, decoded);
      ASSERT_TRUE(status.ok()) << toString(kind) << level << status.error().message;
      EXPECT_EQ(decoded, symbols);
    }
  }
}

TEST(LosslessCoders, StopAtTheLimitAndLeaveTheOutput) {
  const SymbolLayout layout{2, 20, 20, 4};
  std::mt19937 random(test::propertySeed());
  const std::vector<std::uint8_t> symbols = test::symbolMap(layout, test::MapKind::sparse, random);
  for (const CoderKind kind : kCoders) {
    const auto coder = coderFor(kind, layout);
    ByteVector code;
    ASSERT_TRUE(*coder->encode(symbols, kNoLimit, code));
    const std::size_t size = code.size();
    for (const std::size_t limit : {std::size_t{0}, std::size_t{1}, size / 2, size - 1}) {
      ByteVector out = {std::byte{1}, std::byte{2}};
      const auto fits = coder->encode(symbols, limit, out);
      ASSERT_TRUE(fits.ok()) << toString(kind) << ' ' << limit << ' ' << fits.error().message;
      EXPECT_FALSE(*fits) << toString(kind) << ' ' << limit;
      EXPECT_EQ(out, (ByteVector{std::byte{1}, std::byte{2}}));
    }
    ByteVector again;
    ASSERT_TRUE(*coder->encode(symbols, kNoLimit, again));
    EXPECT_EQ(again, code) << "state leaks from map to map in " << toString(kind);
  }
}

TEST(LosslessCoders, AreShorterThanPackedOnSparseMaps) {
  const SymbolLayout layout{16, 26, 26, 2};
  std::mt19937 random(test::propertySeed());
  const std::vector<std::uint8_t> symbols = test::symbolMap(layout, test::MapKind::sparse, random);
  for (const CoderKind kind :
       {CoderKind::deflate, CoderKind::lzma, CoderKind::zstd, CoderKind::context}) {
    ByteVector code;
    ASSERT_TRUE(*coderFor(kind, layout)->encode(symbols, kNoLimit, code));
    EXPECT_LT(code.size(), layout.packedBytes() * 6 / 10) << toString(kind);
  }
}

TEST(LosslessCoders, RefuseOrGiveAMapForEveryTruncationAndExtension) {
  const SymbolLayout layout{2, 9, 11, 3};
  std::mt19937 random(test::propertySeed());
  const std::vector<std::uint8_t> symbols = test::symbolMap(layout, test::MapKind::smooth, random);
  for (const CoderKind kind : kCoders) {
    const auto coder = coderFor(kind, layout);
    ByteVector code;
    ASSERT_TRUE(*coder->encode(symbols, kNoLimit, code));
    std::vector<std::uint8_t> decoded(symbols.size());
    // A context code of the other parity is one of the other level, which may have a map.
    const auto expectRefused = [&](ByteSpan other) {
      const bool ok = coder->decode(other, decoded).ok();
      if (kind != CoderKind::context || other.size() % 2 == code.size() % 2) {
        EXPECT_FALSE(ok) << toString(kind) << " of " << other.size() << " for " << code.size();
      }
      for (const std::uint8_t symbol : decoded) ASSERT_LT(symbol, 8);
    };
    for (std::size_t length = 0; length < code.size(); ++length) {
      expectRefused(ByteSpan(code).first(length));
    }
    ByteVector longer = code;
    longer.push_back(std::byte{0});
    expectRefused(longer);
    for (std::size_t bit = 0; bit < code.size() * 8; ++bit) {
      ByteVector damaged = code;
      damaged[bit / 8] ^= std::byte{1} << (bit % 8);
      if (!coder->decode(damaged, decoded).ok()) continue;
      for (const std::uint8_t symbol : decoded) ASSERT_LT(symbol, 8);
    }
    ASSERT_TRUE(coder->decode(code, decoded).ok());
    EXPECT_EQ(decoded, symbols) << "an error before spoils the coder " << toString(kind);
  }
}

TEST(LosslessCoders, RefuseOutputOfAnotherSize) {
  const SymbolLayout small{1, 8, 8, 4};
  const SymbolLayout large{1, 8, 9, 4};
  std::mt19937 random(test::propertySeed());
  const auto few = test::symbolMap(small, test::MapKind::smooth, random);
  const auto many = test::symbolMap(large, test::MapKind::smooth, random);
  for (const CoderKind kind : kCoders) {
    ByteVector short_code, long_code;
    ASSERT_TRUE(*coderFor(kind, small)->encode(few, kNoLimit, short_code));
    ASSERT_TRUE(*coderFor(kind, large)->encode(many, kNoLimit, long_code));
    std::vector<std::uint8_t> few_decoded(few.size()), many_decoded(many.size());
    EXPECT_FALSE(coderFor(kind, large)->decode(short_code, many_decoded).ok()) << toString(kind);
    EXPECT_FALSE(coderFor(kind, small)->decode(long_code, few_decoded).ok()) << toString(kind);
  }
}

TEST(MakeCoder, RefusesLayoutsAndLevelsOutOfRange) {
  EXPECT_FALSE(makeCoder({CoderKind::raw, -1}, {1, 1, 1, 9}).ok());
  EXPECT_FALSE(makeCoder({CoderKind::raw, -1}, {1, 1, 1, 0}).ok());
  const std::size_t huge = std::size_t{1} << 40;
  EXPECT_FALSE(makeCoder({CoderKind::raw, -1}, {huge, huge, huge, 8}).ok());
  EXPECT_FALSE(makeCoder({CoderKind::zstd, 23}, {1, 1, 1, 8}).ok());
  const auto bad = makeCoder({CoderKind::lzma, 20}, {1, 1, 1, 8});
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().message, "level 20 of coder lzma, expected 0 to 19");
}

TEST(SymbolLayout, TakesPlanesRowsAndColumnsFromTheShape) {
  FeatureInterface interface;
  interface.quantizer.kind = QuantizerKind::uniform;
  interface.quantizer.bits = 3;
  interface.type.shape = Shape{2, 5, 7, 11};
  EXPECT_EQ(symbolLayout(interface), (SymbolLayout{10, 7, 11, 3}));
  interface.type.shape = Shape{2, 5};
  EXPECT_EQ(symbolLayout(interface), (SymbolLayout{10, 1, 1, 3}));
  interface.type.shape = Shape{6};
  EXPECT_EQ(symbolLayout(interface), (SymbolLayout{1, 1, 6, 3}));
  interface.type.shape = Shape{2, 5, 7};
  EXPECT_EQ(symbolLayout(interface), (SymbolLayout{10, 1, 7, 3}));
  interface.quantizer.kind = QuantizerKind::none;
  EXPECT_EQ(symbolLayout(interface), (SymbolLayout{1, 1, 280, 8}));
}

}  // namespace
}  // namespace narrows
