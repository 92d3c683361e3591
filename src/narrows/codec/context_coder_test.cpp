#include "narrows/codec/context_coder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "narrows/codec/test_maps.h"

namespace narrows {
namespace {

const SymbolLayout kShapes[] = {{0, 4, 4},  {3, 0, 5},    {1, 1, 1},  {1, 1, 7},   {37, 1, 1},
                                {2, 3, 5},  {4, 8, 8},    {16, 7, 9}, {3, 31, 33}, {8, 26, 26},
                                {5, 13, 1}, {33, 12, 13}, {1, 64, 64}};

/// A code from each path that every path decodes, and that is the same on all.
void expectEveryPathAgrees(const SymbolLayout& layout, const ContextTables& tables,
                           const std::vector<std::uint8_t>& symbols) {
  const ByteVector code =
      test::codeOf(*makeContextCoder(layout, tables, UnitSearch::scalar), symbols);
  for (const UnitSearch search : unitSearches()) {
    const auto coder = makeContextCoder(layout, tables, search);
    ASSERT_EQ(test::codeOf(*coder, symbols), code) << static_cast<int>(search);
    std::vector<std::uint8_t> decoded(symbols.size(), 0xEE);
    const Status status = coder->decode(code, decoded);
    ASSERT_TRUE(status.ok()) << status.error().message;
    ASSERT_EQ(decoded, symbols) << static_cast<int>(search);
  }
}

/// Planes that are alike but for a few symbols.
std::vector<std::uint8_t> likePlanes(const SymbolLayout& layout, std::mt19937& random) {
  SymbolLayout one = layout;
  one.planes = 1;
  const std::vector<std::uint8_t> plane = test::symbolMap(one, test::MapKind::smooth, random);
  std::vector<std::uint8_t> map;
  for (std::size_t p = 0; p < layout.planes; ++p) map.insert(map.end(), plane.begin(), plane.end());
  for (std::uint8_t& symbol : map) {
    if (random() % 16 == 0)
      symbol = static_cast<std::uint8_t>(random() & ((1U << layout.bits) - 1));
  }
  return map;
}

TEST(ContextCoder, GivesBackEveryMapWithAnyTablesOnEveryPath) {
  const std::uint32_t seed = test::propertySeed();
  SCOPED_TRACE(test::seedTrace(seed));
  std::mt19937 random(seed);
  for (SymbolLayout layout : kShapes) {
    for (layout.bits = 1; layout.bits <= 8; ++layout.bits) {
      SCOPED_TRACE(testing::Message() << layout.planes << 'x' << layout.height << 'x'
                                      << layout.width << ", " << layout.bits << " bits");
      for (const bool standard : {true, false}) {
        const ContextTables tables =
            standard ? ContextTables::standard(layout)
                     : test::fittedTables(layout, test::MapKind::smooth, 3, random);
        for (const test::MapKind kind : test::kMapKinds) {
          expectEveryPathAgrees(layout, tables, test::symbolMap(layout, kind, random));
        }
      }
    }
  }
}

TEST(ContextCoder, EveryNumberOfLanesAgrees) {
  std::mt19937 random(test::propertySeed());
  for (std::size_t planes = 1; planes <= 21; ++planes) {
    const SymbolLayout layout{planes, 33, 66, 2};
    const auto tables = ContextTables::standard(layout);
    expectEveryPathAgrees(layout, tables, test::symbolMap(layout, test::MapKind::sparse, random));
  }
}

/// Maps from almost nothing to full ones, so that their codes pay for any number of lanes.
TEST(ContextCoder, LanesCostATinyCodeNothing) {
  std::mt19937 random(test::propertySeed());
  const SymbolLayout layout{32, 24, 44, 1};
  ContextTrainer trainer(layout);
  std::vector<std::uint8_t> map(layout.symbols(), 1);
  for (int i = 0; i < 8; ++i) trainer.observe(map);
  const ContextTables tables = trainer.fit();
  std::size_t last = 0;
  for (std::size_t zeros = 0; zeros < 3000; zeros = zeros * 5 / 4 + 1) {
    for (std::size_t i = 0; i < zeros; ++i) map[random() % map.size()] = 0;
    expectEveryPathAgrees(layout, tables, map);
    const std::size_t bytes = test::codeOf(*makeContextCoder(layout, tables), map).size();
    EXPECT_GE(bytes + 2, last) << zeros;
    if (zeros == 0) {
      EXPECT_LE(bytes, 24U);
    }
    last = bytes;
  }
  EXPECT_GT(last, 2048U);
}

TEST(ContextCoder, LooksAtAPlaneThatIsAlike) {
  std::mt19937 random(test::propertySeed());
  for (int bits = 1; bits <= (test::kSanitized ? 2 : 8); ++bits) {
    const SymbolLayout layout{40, 19, 18, bits};
    ContextTrainer trainer(layout);
    for (int i = 0; i < 16; ++i) trainer.observe(likePlanes(layout, random));
    const ContextTables tables = trainer.fit();
    std::size_t references = 0;
    for (std::size_t p = 0; p < layout.planes; ++p) {
      const ContextPlane plane = tables.plane(p);
      if (plane.terms.empty()) continue;
      ++references;
      for (const GuessTerm& term : plane.terms) {
        EXPECT_LT(tables.plane(term.plane).stage, plane.stage);
      }
    }
    EXPECT_GE(references, 20U) << bits << " bits";
    const std::vector<std::uint8_t> symbols = likePlanes(layout, random);
    expectEveryPathAgrees(layout, tables, symbols);
    const auto bytes = tables.serialize();
    ASSERT_TRUE(bytes.ok());
    const auto parsed = ContextTables::parse(*bytes, layout);
    ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    expectEveryPathAgrees(layout, *parsed, symbols);
    EXPECT_EQ(test::codeOf(*makeContextCoder(layout, tables), symbols),
              test::codeOf(*makeContextCoder(layout, *parsed), symbols));
  }
}

TEST(ContextCoder, SpendsAlmostNothingOnDeadPlanes) {
  const SymbolLayout layout{256, 26, 26, 2};
  const auto coder = makeContextCoder(layout, ContextTables::standard(layout));
  EXPECT_LE(test::codeOf(*coder, std::vector<std::uint8_t>(layout.symbols(), 0)).size(), 90U);
  ContextTrainer trainer(layout);
  std::vector<std::uint8_t> map(layout.symbols(), 0);
  std::fill_n(map.begin(), 26 * 26, std::uint8_t{1});
  for (int i = 0; i < 20; ++i) trainer.observe(map);
  const auto calibrated = makeContextCoder(layout, trainer.fit());
  EXPECT_LE(test::codeOf(*calibrated, map).size(), 16U);
}

/// The ideal of an adaptive coder with the same neighbours, symbol by symbol: its code length with
/// counts that start at a small constant.
double adaptiveBytes(const SymbolLayout& layout, const std::vector<std::uint8_t>& symbols) {
  const std::size_t values = std::size_t{1} << layout.bits;
  std::vector<double> counts(values * values * values, 0.05);
  double bits = 0;
  for (std::size_t p = 0; p < layout.planes; ++p) {
    const std::uint8_t* plane = symbols.data() + p * layout.height * layout.width;
    for (std::size_t y = 0; y < layout.height; ++y) {
      for (std::size_t x = 0; x < layout.width; ++x) {
        const std::size_t at = y * layout.width + x;
        const std::size_t left = x > 0 ? plane[at - 1] : 0;
        const std::size_t above = y > 0 ? plane[at - layout.width] : 0;
        double* row = counts.data() + (left * values + above) * values;
        double sum = 0;
        for (std::size_t s = 0; s < values; ++s) sum += row[s];
        bits -= std::log2(row[plane[at]] / sum);
        row[plane[at]] += 1;
      }
    }
  }
  return bits / 8;
}

TEST(ContextCoder, CalibratedStaysNearAnAdaptiveCoderOfTheSameNeighbours) {
  std::mt19937 random(test::propertySeed());
  for (int bits = 1; bits <= (test::kSanitized ? 1 : 4); ++bits) {
    const SymbolLayout layout{16, 28, 28, bits};
    ContextTrainer trainer(layout);
    for (int i = 0; i < 24; ++i) {
      trainer.observe(test::symbolMap(layout, test::MapKind::smooth, random));
    }
    const std::vector<std::uint8_t> fresh = test::symbolMap(layout, test::MapKind::smooth, random);
    const auto coder = makeContextCoder(layout, trainer.fit());
    const double bytes = static_cast<double>(test::codeOf(*coder, fresh).size());
    EXPECT_LT(bytes, adaptiveBytes(layout, fresh) * 1.05) << bits << " bits";
  }
}

TEST(ContextCoder, GivesAnErrorOrAMapForEveryTruncationAndBitFlip) {
  std::mt19937 random(test::propertySeed());
  for (const int bits : {1, 2, 3, 4, 6, 8}) {
    const SymbolLayout layout{20, 9, 11, bits};
    for (const bool standard : {true, false}) {
      const ContextTables tables =
          standard ? ContextTables::standard(layout)
                   : test::fittedTables(layout, test::MapKind::sparse, 3, random);
      const auto coder = makeContextCoder(layout, tables);
      const auto symbols = test::symbolMap(layout, test::MapKind::sparse, random);
      const ByteVector code = test::codeOf(*coder, symbols);
      std::vector<std::uint8_t> decoded(symbols.size());
      for (std::size_t length = 0; length < code.size(); ++length) {
        EXPECT_FALSE(coder->decode(ByteSpan(code).first(length), decoded).ok()) << length;
      }
      ByteVector longer = code;
      longer.resize(code.size() + 2);
      EXPECT_FALSE(coder->decode(longer, decoded).ok());
      for (std::size_t bit = 0; bit < code.size() * 8; ++bit) {
        ByteVector damaged = code;
        damaged[bit / 8] ^= std::byte{1} << (bit % 8);
        if (!coder->decode(damaged, decoded).ok()) continue;
        for (const std::uint8_t symbol : decoded) ASSERT_LT(symbol, 1 << bits);
      }
    }
  }
}

TEST(ContextTables, SerializeAndParse) {
  std::mt19937 random(test::propertySeed());
  for (const int bits : {1, 2, 3, 4, 7}) {
    const SymbolLayout layout{6, 10, 11, bits};
    const ContextTables tables = test::fittedTables(layout, test::MapKind::smooth, 3, random);
    const auto bytes = tables.serialize();
    ASSERT_TRUE(bytes.ok()) << bytes.error().message;
    const auto parsed = ContextTables::parse(*bytes, layout);
    ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    const auto symbols = test::symbolMap(layout, test::MapKind::smooth, random);
    EXPECT_EQ(test::codeOf(*makeContextCoder(layout, tables), symbols),
              test::codeOf(*makeContextCoder(layout, *parsed), symbols));
    SymbolLayout other = layout;
    other.bits = bits == 1 ? 2 : 1;
    EXPECT_FALSE(ContextTables::parse(*bytes, other).ok());
    for (std::size_t length = 0; length < bytes->size(); length += 1 + length / 16) {
      EXPECT_FALSE(ContextTables::parse(ByteSpan(*bytes).first(length), layout).ok());
    }
    // Whatever damaged tables parse to must still be tables: both sides decode without a fault.
    for (int i = 0; i < 60; ++i) {
      ByteVector damaged = *bytes;
      damaged[random() % damaged.size()] ^= static_cast<std::byte>(1U << random() % 8);
      const auto broken = ContextTables::parse(damaged, layout);
      if (!broken.ok()) continue;
      const auto coder = makeContextCoder(layout, *broken);
      std::vector<std::uint8_t> decoded(symbols.size());
      ASSERT_TRUE(coder->decode(test::codeOf(*coder, symbols), decoded).ok());
      EXPECT_EQ(decoded, symbols);
    }
  }
}

TEST(ContextTables, RowsHoldEveryUnitThatCanOccur) {
  for (int bits = 1; bits <= 8; ++bits) {
    const SymbolLayout layout{3, 5, 7, bits};
    const ContextGrid grid(layout);
    const ContextTables tables = ContextTables::standard(layout);
    ASSERT_EQ(tables.rowOf().size(), grid.contexts());
    ASSERT_EQ(tables.lowRowOf().size(), grid.lowContexts());
    for (std::size_t c = 1; c < kContextClasses; ++c) {
      ASSERT_EQ(tables.units(c).size(), tables.highRows() + tables.lowRows());
      for (std::size_t r = 0; r < tables.units(c).size(); ++r) {
        const ContextTables::Row& row = tables.units(c)[r];
        const int unit_bits =
            r < tables.highRows() ? grid.highBits() * grid.symbolsPerUnit() : grid.lowBits();
        ASSERT_EQ(row.back(), kContextTotal);
        for (std::size_t u = 0; u < kUnitSymbols; ++u) {
          const int frequency = row[u] - (u == 0 ? 0 : row[u - 1]);
          ASSERT_EQ(frequency > 0, u < std::size_t{1} << unit_bits) << bits << ' ' << r << ' ' << u;
        }
      }
    }
  }
}

TEST(ContextGrid, NeighboursHaveTheContextThatTheyStandFor) {
  for (int bits = 1; bits <= 4; ++bits) {
    const ContextGrid grid({2, 5, 9, bits});
    constexpr std::size_t kSlack = ContextGrid::kRowSlack;
    std::vector<std::uint16_t> parts(grid.columns() + kSlack);
    const std::vector<std::uint8_t> above(grid.columns() + 2 * kSlack, 3);
    for (const std::size_t y : {std::size_t{0}, std::size_t{2}}) {
      grid.parts(y, above.data() + kSlack, nullptr, parts.data());
      for (std::size_t j = 0; j < grid.columns(); ++j) {
        const std::size_t part = parts[j];
        for (unsigned left = 0; left < (bits == 3 ? 8U : 16U); ++left) {
          const std::size_t context = part + grid.leftParts()[left];
          ASSERT_LT(context, grid.contextsAlone());
          ASSERT_LT(grid.coarseContext(context), grid.coarseContexts());
          const ContextGrid::Neighbours n = grid.neighbours(context);
          EXPECT_EQ(grid.leftParts()[n.left], grid.leftParts()[left]);
          EXPECT_EQ(n.above, y == 0 ? n.left : 3);
        }
      }
    }
  }
}

TEST(FrequencyRow, AddsUpForExtremeWeights) {
  std::array<double, kUnitSymbols> weights{};
  for (const double large : {0.0, 1.0, 1e300}) {
    weights[3] = large;
    const ContextTables::Row row = frequencyRow(weights, kUnitSymbols);
    EXPECT_EQ(row.back(), kContextTotal);
    EXPECT_GE(row[0], 1);
    if (large > 0) {
      EXPECT_EQ(row[3] - row[2], static_cast<int>(kContextTotal) - 15);
    }
  }
}

/// Standard tables, hashed; computed once on x86-64. Machines whose tables differ cannot read each
/// other's frames.
TEST(ContextTables, StandardOnesAreTheSameOnEveryMachine) {
  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
  for (int bits = 1; bits <= 8; ++bits) {
    const ContextTables tables = ContextTables::standard({4, 9, 9, bits});
    for (std::size_t c = 1; c < kContextClasses; ++c) {
      for (const ContextTables::Row& row : tables.units(c)) {
        for (const std::uint16_t end : row) hash = (hash ^ end) * 0x100000001b3U;
      }
    }
  }
  EXPECT_EQ(hash, 18048449163226096624U);
}

}  // namespace
}  // namespace narrows
