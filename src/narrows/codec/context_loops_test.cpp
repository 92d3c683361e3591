#include "narrows/codec/context_loops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>
#include <string>

#include "narrows/codec/context_coder.h"
#include "narrows/codec/context_lanes.h"
#include "narrows/codec/context_plane_loops.h"
#include "narrows/codec/test_maps.h"

namespace narrows::context {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::vector<Loops> allLoops() {
  return {scalarLoops(), avx2Loops(), avx512Loops(), neonLoops(), fastestLoops()};
}

#if defined(__x86_64__)
/// Whether the kernel lists all these flags of the processor.
bool processorHas(const std::vector<std::string>& wanted) {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line) && line.rfind("flags", 0) != 0) {
  }
  std::istringstream words(line);
  std::vector<std::string> flags;
  for (std::string word; words >> word;) flags.push_back(word);
  return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& flag) {
    return std::find(flags.begin(), flags.end(), flag) != flags.end();
  });
}
#endif

TEST(ContextLoops, AreThoseOfTheProcessor) {
  const Loops scalar = scalarLoops();
  const Loops fastest = fastestLoops();
#if defined(__x86_64__)
  const bool avx2 = processorHas({"avx2", "bmi1", "popcnt"});
  const bool avx512 = avx2 && processorHas({"avx512f", "avx512bw", "avx512dq", "avx512vl"});
  EXPECT_EQ(hasAvx2(), avx2);
  EXPECT_EQ(hasAvx512(), avx512);
  EXPECT_FALSE(hasNeon());
  EXPECT_EQ(unitSearches().size(), 1U + (avx2 ? 1U : 0U) + (avx512 ? 1U : 0U));
  EXPECT_EQ(avx2DecodeGroup() != nullptr, avx2);
  EXPECT_EQ(avx512DecodeGroup() != avx2DecodeGroup(), avx512);
  EXPECT_EQ(avx512Loops().encode != avx2Loops().encode, avx512);
  const bool vectors = avx2;
#elif defined(__aarch64__)
  EXPECT_EQ(unitSearches(), (std::vector{UnitSearch::scalar, UnitSearch::neon}));
  EXPECT_EQ(fastestDecodeGroup(), neonDecodeGroup());
  EXPECT_NE(fastestPlaneLoops().split_fours, scalarPlaneLoops().split_fours);
  const bool vectors = true;
#else
  const bool vectors = false;
#endif
  EXPECT_EQ(fastest.decode != scalar.decode, vectors);
  EXPECT_EQ(fastest.encode != scalar.encode, vectors);
  EXPECT_EQ(fastest.list != scalar.list, vectors);
  EXPECT_EQ(fastest.guess != scalar.guess, vectors);
  EXPECT_EQ(fastestDecodeGroup() != nullptr, vectors);
}

/// One unit into each lane: words and states.
std::pair<std::vector<std::uint16_t>, States> encodeOnce(const Loops& loops,
                                                         const std::vector<Range>& ranges,
                                                         const States& states) {
  const std::vector<std::uint16_t> entries(1, 0);
  UnitsToEncode units;
  units.steps = 1;
  units.lanes = ranges.size();
  for (std::size_t l = 0; l < ranges.size(); ++l) {
    units.entries[l] = entries.data();
    units.ranges[l] = &ranges[l];
  }
  std::vector<std::uint16_t> words(2 * kMaxLanes, 0);
  States after = states;
  const std::uint16_t* next = loops.encode(units, after, words.data() + words.size());
  const auto count = static_cast<std::size_t>(words.data() + words.size() - next);
  return {{words.end() - static_cast<std::ptrdiff_t>(count), words.end()}, after};
}

/// The step of the coder in 64 bits (Duda 2013, with 16-bit words).
std::uint32_t plainStep(std::uint32_t state, Range range) {
  const std::uint64_t frequency = range >> 16;
  std::uint64_t x = state;
  if (x >= frequency << (32 - kContextPrecision)) x >>= 16;
  return static_cast<std::uint32_t>((x / frequency << kContextPrecision) + x % frequency +
                                    (range & 0xFFFF));
}

TEST(ContextLoops, EveryFrequencyDividesExactly) {
  const std::uint32_t seed = test::propertySeed();
  SCOPED_TRACE(test::seedTrace(seed));
  std::mt19937 random(seed);
  for (const Loops& loops : allLoops()) {
    for (std::uint32_t frequency = 1; frequency < kContextTotal; ++frequency) {
      const std::size_t lanes = frequency % 2 == 0 ? 16 : 3 + frequency % 13;
      std::vector<Range> ranges(lanes);
      States states{};
      states.fill(kLowest);
      const std::uint64_t full = std::uint64_t{frequency} << (32 - kContextPrecision);
      for (std::size_t l = 0; l < lanes; ++l) {
        const auto start = static_cast<std::uint32_t>(random() % (kContextTotal - frequency + 1));
        ranges[l] = start | frequency << 16;
        // States beside multiples of the frequency, the largest without and with a word among them.
        const std::uint64_t multiple =
            l % 4 == 0 ? full
                       : (random() % (1U << (32 - kContextPrecision))) * std::uint64_t{frequency};
        const std::uint64_t state =
            (l % 8 < 4 ? multiple : multiple << (random() % 16)) + l % 3 - 1;
        states[l] =
            static_cast<std::uint32_t>(std::clamp<std::uint64_t>(state, kLowest, 0xFFFFFFFFU));
      }
      const auto [words, after] = encodeOnce(loops, ranges, states);
      std::vector<std::uint16_t> expected;
      for (std::size_t l = 0; l < lanes; ++l) {
        ASSERT_EQ(after[l], plainStep(states[l], ranges[l])) << frequency << ", " << states[l];
        if (states[l] >= full) expected.push_back(static_cast<std::uint16_t>(states[l]));
      }
      ASSERT_EQ(words, expected) << frequency;
    }
  }
}

TEST(ContextLoops, ListsEntriesAndLengths) {
  std::mt19937 random(test::propertySeed());
  for (const Loops& loops : allLoops()) {
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{7},
                                    std::size_t{64}, kMostListed}) {
      std::vector<std::uint16_t> first(40);
      for (std::uint16_t& entry : first) {
        entry = static_cast<std::uint16_t>(random() % 9 * kUnitSymbols);
      }
      Bytes lengths(9 * kUnitSymbols * kTables);
      for (std::uint8_t& length : lengths) length = static_cast<std::uint8_t>(random() % 256);
      std::vector<std::uint16_t> contexts(count);
      Bytes units(count);
      for (std::size_t k = 0; k < count; ++k) {
        contexts[k] = static_cast<std::uint16_t>(random() % first.size());
        units[k] = static_cast<std::uint8_t>(random() % kUnitSymbols);
      }
      std::vector<std::uint16_t> expected_entries(count);
      ClassSums expected;
      expected.fill(5);
      for (std::size_t k = 0; k < count; ++k) {
        expected_entries[k] = static_cast<std::uint16_t>(first[contexts[k]] + units[k]);
      }
      for (std::size_t t = 0; t < kTables; ++t) {
        for (std::size_t k = 0; k < count; k += 2) {
          std::uint32_t pair = lengths[expected_entries[k] * kTables + t];
          if (k + 1 < count) pair += lengths[expected_entries[k + 1] * kTables + t];
          expected[t] += std::min(pair, 255U);
        }
      }
      std::vector<std::uint16_t> entries(count);
      ClassSums sums;
      sums.fill(5);
      loops.list({first.data(), lengths.data(), contexts.data(), units.data(), count},
                 entries.data(), sums);
      EXPECT_EQ(entries, expected_entries);
      EXPECT_EQ(sums, expected);
    }
  }
}

TEST(PlaneLoops, SplitAndJoinSymbols) {
  std::mt19937 random(test::propertySeed());
  for (const PlaneLoops& loops :
       {scalarPlaneLoops(), avx2PlaneLoops(), neonPlaneLoops(), fastestPlaneLoops()}) {
    for (std::size_t count = 0; count < 100; ++count) {
      for (const std::size_t each : {std::size_t{2}, std::size_t{4}}) {
        const unsigned bits = 4 / static_cast<unsigned>(each);
        Bytes symbols(each * count);
        for (std::uint8_t& symbol : symbols) {
          symbol = static_cast<std::uint8_t>(random() % (1U << bits));
        }
        Bytes expected(count, 0);
        for (std::size_t i = 0; i < symbols.size(); ++i) {
          expected[i / each] = static_cast<std::uint8_t>(expected[i / each] |
                                                         unsigned{symbols[i]} << bits * (i % each));
        }
        Bytes units(count + kPlaneSlack);
        (each == 2 ? loops.split_twos : loops.split_fours)(symbols.data(), count, units.data());
        units.resize(count);
        EXPECT_EQ(units, expected) << count;
        Bytes joined(symbols.size() + kPlaneSlack, 0xEE);
        (each == 2 ? loops.join_twos : loops.join_fours)(units.data(), count, joined.data());
        EXPECT_EQ(Bytes(joined.begin() + static_cast<std::ptrdiff_t>(symbols.size()), joined.end()),
                  Bytes(kPlaneSlack, 0xEE));
        joined.resize(symbols.size());
        EXPECT_EQ(joined, symbols) << count;
      }
    }
  }
}

}  // namespace
}  // namespace narrows::context
