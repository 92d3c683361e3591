#include "narrows/codec/rate_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "narrows/codec/context_coder.h"
#include "narrows/codec/feature_codec.h"
#include "narrows/codec/test_maps.h"

namespace narrows {
namespace {

/// Planes of blobs on nothing, some of them empty: what a trained layer gives.
std::vector<std::uint8_t> blobMap(const SymbolLayout& layout, std::mt19937& random) {
  std::vector<std::uint8_t> symbols(layout.symbols());
  std::uniform_real_distribution<double> uniform(0, 1);
  const double top = static_cast<double>((1 << layout.bits) - 1);
  for (std::size_t p = 0; p < layout.planes; ++p) {
    const auto blobs = static_cast<std::size_t>(uniform(random) * 4);
    for (std::size_t b = 0; b < blobs; ++b) {
      const double cx = uniform(random) * static_cast<double>(layout.width);
      const double cy = uniform(random) * static_cast<double>(layout.height);
      const double radius = 1 + uniform(random) * static_cast<double>(layout.width) / 4;
      for (std::size_t y = 0; y < layout.height; ++y) {
        for (std::size_t x = 0; x < layout.width; ++x) {
          const double d = std::hypot(static_cast<double>(x) - cx, static_cast<double>(y) - cy);
          const double value = top * std::max(0.0, 1 - d / radius) + 0.4 * uniform(random);
          std::uint8_t& symbol = symbols[(p * layout.height + y) * layout.width + x];
          symbol = std::max(symbol, static_cast<std::uint8_t>(std::min(top, value + 0.4)));
        }
      }
    }
  }
  return symbols;
}

ByteVector fittedTables(const SymbolLayout& layout, std::mt19937& random) {
  ContextTrainer trainer(layout);
  for (int i = 0; i < 6; ++i) trainer.observe(blobMap(layout, random));
  auto bytes = trainer.fit().serialize();
  EXPECT_TRUE(bytes.ok());
  return *bytes;
}

std::size_t codeBytes(const SymbolLayout& layout, const ByteVector& tables,
                      const std::vector<std::uint8_t>& symbols) {
  CoderParams params{CoderKind::context};
  params.tables = tables;
  auto coder = makeCoder(params, layout);
  EXPECT_TRUE(coder.ok());
  ByteVector code;
  EXPECT_TRUE((*coder)->encode(symbols, std::numeric_limits<std::size_t>::max(), code).ok());
  return code.size();
}

TEST(RateTable, KnowsTheLengthOfTheCode) {
  const std::uint32_t seed = test::propertySeed();
  SCOPED_TRACE(test::seedTrace(seed));
  std::mt19937 random(seed);
  for (const int bits : {1, 2, 3, 4, 6, 8}) {
    if (test::kSanitized && bits > 2) break;
    for (const auto& [planes, side] :
         {std::pair<std::size_t, std::size_t>{8, 12}, {48, 27}, {3, 61}}) {
      const SymbolLayout layout{planes, side, side + 1, bits};
      for (const ByteVector& tables : {ByteVector(), fittedTables(layout, random)}) {
        auto table = RateTable::create(layout, tables);
        ASSERT_TRUE(table.ok()) << table.error().message;
        std::vector<std::vector<std::uint8_t>> maps = {blobMap(layout, random)};
        for (const test::MapKind kind : test::kMapKinds) {
          maps.push_back(test::symbolMap(layout, kind, random));
        }
        for (const auto& map : maps) {
          const double real = static_cast<double>(codeBytes(layout, tables, map));
          const double expected = table->rate(map).bits / 8;
          // Where a lane's state ends is chance: up to a word more or less for each.
          const double chance =
              static_cast<double>(2 * std::min<std::size_t>(16, 1 + layout.symbols() / 1024));
          EXPECT_NEAR(expected, real, 0.02 * real + chance)
              << bits << " bits " << planes << "x" << side;
          EXPECT_NEAR(table->frameBytes(map),
                      static_cast<double>(kFrameHeaderBytes) +
                          std::min(expected, static_cast<double>(layout.packedBytes())),
                      1e-9);
        }
      }
    }
  }
}

TEST(RateTable, LengthsOfUnitsAddUpToTheRate) {
  std::mt19937 random(5);
  const SymbolLayout layout{12, 14, 15, 3};
  auto table = RateTable::create(layout, fittedTables(layout, random));
  ASSERT_TRUE(table.ok());
  const auto map = blobMap(layout, random);
  const MapRate rate = table->rate(map);
  ASSERT_EQ(rate.classes.size(), layout.planes);
  ASSERT_EQ(rate.rows.size(), layout.symbols());
  // One symbol is one unit at 3 bits.
  EXPECT_EQ(rate.units, map);
  double bits = 0;
  for (std::size_t k = 0; k < rate.rows.size(); ++k) {
    const bool dead = rate.classes[k / (14 * 15)] == 0;
    ASSERT_EQ(rate.rows[k] == RateTable::kNoRow, dead);
    if (dead) continue;
    ASSERT_LT(rate.rows[k], table->rows());
    bits += static_cast<double>(table->lengths()[rate.rows[k] * kUnitSymbols + rate.units[k]]);
  }
  for (std::size_t p = 0; p < layout.planes; ++p) {
    bits += static_cast<double>(table->classLength(p, rate.classes[p]));
  }
  EXPECT_GT(rate.bits, bits);
  EXPECT_LT(rate.bits, bits + 16 * 32);
  // Lengths of a row are those of a distribution: Kraft's sum is one.
  for (std::size_t row = 0; row < table->rows(); ++row) {
    double sum = 0;
    for (std::size_t u = 0; u < kUnitSymbols; ++u) {
      const float length = table->lengths()[row * kUnitSymbols + u];
      if (length < RateTable::kNever) sum += std::exp2(-static_cast<double>(length));
    }
    EXPECT_NEAR(sum, 1, 1e-5);
  }
}

TEST(RateTable, RefusesWhatTheCoderRefuses) {
  const SymbolLayout layout{4, 5, 6, 2};
  EXPECT_FALSE(RateTable::create(layout, ByteVector(10)).ok());
  EXPECT_FALSE(RateTable::create({4, 5, 6, 9}, {}).ok());
  auto empty = RateTable::create({0, 5, 6, 2}, {});
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(empty->rate({}).bits, 0);
}

}  // namespace
}  // namespace narrows
