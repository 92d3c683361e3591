#include "narrows/codec/context_mixing.h"

#include <gtest/gtest.h>

#include <cmath>

#include "narrows/codec/context_coder.h"
#include "narrows/codec/context_mixer.h"
#include "narrows/codec/test_maps.h"

namespace narrows {
namespace {

TEST(MixingCoder, GivesBackEveryMapInAnOddNumberOfBytes) {
  const std::uint32_t seed = test::propertySeed();
  SCOPED_TRACE(test::seedTrace(seed));
  std::mt19937 random(seed);
  for (SymbolLayout layout : {SymbolLayout{0, 4, 4}, SymbolLayout{1, 1, 1}, SymbolLayout{37, 1, 1},
                              SymbolLayout{3, 5, 7}, SymbolLayout{12, 9, 10}}) {
    for (layout.bits = 1; layout.bits <= 8; ++layout.bits) {
      SCOPED_TRACE(testing::Message() << layout.planes << " planes, " << layout.bits << " bits");
      const auto coder = makeMixingCoder(
          layout, layout.bits % 2 == 0
                      ? ContextTables::standard(layout)
                      : test::fittedTables(layout, test::MapKind::smooth, 5, random));
      for (const test::MapKind kind : test::kMapKinds) {
        const std::vector<std::uint8_t> symbols = test::symbolMap(layout, kind, random);
        const ByteVector code = test::codeOf(*coder, symbols);
        EXPECT_EQ(code.size() % 2, symbols.empty() ? 0U : 1U);
        std::vector<std::uint8_t> decoded(symbols.size(), 0xEE);
        const Status status = coder->decode(code, decoded);
        ASSERT_TRUE(status.ok()) << status.error().message;
        ASSERT_EQ(decoded, symbols);
        ByteVector unused;
        if (symbols.empty()) continue;
        EXPECT_FALSE(*coder->encode(symbols, code.size() - 1, unused));
        EXPECT_TRUE(unused.empty());
      }
    }
  }
}

TEST(MixingCoder, IsSmallerThanTheFastOne) {
  std::mt19937 random(test::propertySeed());
  for (int bits = 1; bits <= 4; ++bits) {
    const SymbolLayout layout{24, 28, 28, bits};
    const ContextTables tables = test::fittedTables(layout, test::MapKind::smooth, 5, random);
    const auto symbols = test::symbolMap(layout, test::MapKind::smooth, random);
    EXPECT_LT(test::codeOf(*makeMixingCoder(layout, tables), symbols).size(),
              test::codeOf(*makeContextCoder(layout, tables), symbols).size());
  }
}

TEST(MixingCoder, GivesAnErrorOrAMapForEveryTruncationAndBitFlip) {
  std::mt19937 random(test::propertySeed());
  for (const int bits : {1, 3, 6}) {
    const SymbolLayout layout{6, 7, 9, bits};
    CoderParams params;
    params.kind = CoderKind::context;
    params.level = kMaximumEffort;
    const auto made = makeCoder(params, layout);
    ASSERT_TRUE(made.ok());
    LosslessCoder& coder = **made;
    const auto symbols = test::symbolMap(layout, test::MapKind::sparse, random);
    const ByteVector code = test::codeOf(coder, symbols);
    std::vector<std::uint8_t> decoded(symbols.size());
    ASSERT_TRUE(coder.decode(code, decoded).ok());
    EXPECT_EQ(decoded, symbols);
    const auto check = [&](ByteSpan damaged) {
      if (!coder.decode(damaged, decoded).ok()) return;
      for (const std::uint8_t symbol : decoded) ASSERT_LT(symbol, 1 << bits);
    };
    for (std::size_t length = 0; length < code.size(); ++length) {
      check(ByteSpan(code).first(length));
    }
    for (std::size_t bit = 0; bit < code.size() * 8; ++bit) {
      ByteVector damaged = code;
      damaged[bit / 8] ^= std::byte{1} << (bit % 8);
      check(damaged);
    }
    ByteVector longer = code;
    longer.resize(code.size() + 2);
    EXPECT_FALSE(coder.decode(longer, decoded).ok());
  }
}

TEST(BitCoding, GivesBackBitsOfAnyProbabilityNearTheirInformation) {
  std::mt19937 random(test::propertySeed());
  std::vector<std::pair<bool, context::Probability>> bits;
  double information = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto probability = static_cast<context::Probability>(1 + random() % 65535);
    const bool bit = random() % 65536 < probability;
    bits.emplace_back(bit, probability);
    const double p = probability / 65536.0;
    information -= std::log2(bit ? p : 1 - p);
  }
  ByteVector code;
  context::BitWriter writer(code);
  for (const auto& [bit, probability] : bits) writer.put(bit, probability);
  writer.finish();
  EXPECT_LT(static_cast<double>(code.size()), information / 8 * 1.001 + 8);
  context::BitReader reader(code);
  for (const auto& [bit, probability] : bits) ASSERT_EQ(reader.take(probability), bit);
  EXPECT_EQ(reader.offset(), code.size() + 3);
}

TEST(Stretch, IsTheInverseOfSquashAndNearTheLogistic) {
  for (int logit = -2047; logit <= 2047; logit += 13) {
    const double exact = 4096 / (1 + std::exp(-logit / 256.0));
    EXPECT_NEAR(context::squash(logit), exact, 16) << logit;
    const int p = context::squash(logit);
    EXPECT_EQ(context::squash(context::stretch(static_cast<context::Probability>(p << 4))), p);
  }
}

}  // namespace
}  // namespace narrows
