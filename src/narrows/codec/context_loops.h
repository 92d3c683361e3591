#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "narrows/codec/context_tables.h"

/// The inner loops of the context coder, for several instruction sets. All give the same
/// results; the scalar ones are the oracle.
namespace narrows::context {

/// States lie in [kLowest, 2^32) between units; below it 16 bits are shifted in.
inline constexpr std::uint32_t kLowest = 1U << 16;
inline constexpr std::size_t kMaxLanes = 16;
/// Lanes that vector loops take at once.
inline constexpr std::size_t kEight = 8;
/// Lanes for so many planes that are not zeros alone, of so many units each; and in a code of so
/// many bytes.
std::size_t laneCount(std::size_t live_planes, std::size_t units_per_plane);
std::size_t laneCount(std::size_t live_planes, std::size_t units_per_plane, std::size_t bytes);
/// Words that loops may read after the last and write before the first one that counts.
inline constexpr std::size_t kSlackWords = 16;

using States = std::array<std::uint32_t, kMaxLanes>;
/// Range of a unit: start in the low half, frequency, below kContextTotal, in the high half.
using Range = std::uint32_t;

/// A row of units to decode in one lane.
struct LaneRow {
  /// Ends of the lane's class, kUnitSymbols a row, with one entry in front whose low bits are 0.
  const std::uint16_t* ends = nullptr;
  /// Parts of the contexts, and masks of what the left unit adds to them or null for all of it.
  const std::uint16_t* parts = nullptr;
  const std::uint16_t* masks = nullptr;
  std::uint8_t* units = nullptr;
  /// The unit before the first.
  std::uint8_t left = 0;
};

struct RowsToDecode {
  std::size_t columns = 0;
  std::size_t lanes = 0;
  /// kMaxLanes entries; those from `lanes` on are scratch for the loops.
  std::array<LaneRow, kMaxLanes> lane;
  const std::uint8_t* row_of = nullptr;
  /// What a left unit adds to a context; null where it is the unit itself. Lanes with masks need
  /// it.
  const std::uint16_t* left_parts = nullptr;
  std::vector<std::uint8_t> scratch = {};
};

/// The same units of planes to encode, one in each lane: entries of its class, in the order in
/// which the decoder takes them.
struct UnitsToEncode {
  std::size_t steps = 0;
  std::size_t lanes = 0;
  std::array<const std::uint16_t*, kMaxLanes> entries{};
  std::array<const Range*, kMaxLanes> ranges{};
};

/// Classes with tables.
inline constexpr std::size_t kTables = kContextClasses - 1;
static_assert(kTables == 8, "one load takes the lengths of all classes");
using ClassSums = std::array<std::uint32_t, kTables>;

/// Units to list for the encoder.
struct UnitsToList {
  /// Entry of a unit 0 in the row of each context.
  const std::uint16_t* first_entry = nullptr;
  /// Code lengths of an entry, those of all classes side by side.
  const std::uint8_t* lengths = nullptr;
  const std::uint16_t* contexts = nullptr;
  const std::uint8_t* units = nullptr;
  /// At most kMostListed, so that 16 bits hold the sums.
  std::size_t count = 0;
};
inline constexpr std::size_t kMostListed = 512;

/// Values of one term of a guess: in place, right + below, left + above; and their weights.
struct GuessInput {
  const std::uint8_t* here = nullptr;
  const std::uint8_t* ahead = nullptr;
  const std::uint8_t* behind = nullptr;
  std::int8_t here_weight = 0;
  std::int8_t ahead_weight = 0;
  std::int8_t behind_weight = 0;
};

struct GuessTask {
  /// A multiple of kGuessBlock: inputs and levels have room for that.
  std::size_t count = 0;
  std::size_t inputs = 0;
  std::array<GuessInput, ContextPlane::kMaxTerms> input;
  std::span<const std::int16_t> thresholds;
};
inline constexpr std::size_t kGuessBlock = 32;

struct Loops {
  /// Decodes a row in each lane in lockstep, refilling states from `next`; gives the word after the
  /// last it took.
  const std::uint16_t* (*decode)(RowsToDecode& rows, States& states, const std::uint16_t* next);
  /// Encodes the units of all lanes, the last first. Writes words before `next` and gives the
  /// first.
  std::uint16_t* (*encode)(const UnitsToEncode& units, States& states, std::uint16_t* next);
  /// Lists the entries of units in the rows of their contexts, and adds the lengths of all classes
  /// for each, two by two from the first on: no more than 255 for both.
  void (*list)(const UnitsToList& task, std::uint16_t* entries, ClassSums& sums);
  /// Levels: how many thresholds the weighted sum of the inputs lies above. Sums fit in 16 bits.
  void (*guess)(const GuessTask& task, std::uint8_t* levels);
};

/// Ranges of some steps of all lanes side by side, few enough to stay close at hand. Lanes without
/// a plane have ranges that never fill a state.
class RangeBlock {
 public:
  static constexpr std::size_t kSteps = 64;
  explicit RangeBlock(const UnitsToEncode& units) : units_(units) { ranges_.fill(kIdle); }
  /// Steps [begin, begin + count), at most kSteps.
  void load(std::size_t begin, std::size_t count) {
    for (std::size_t l = 0; l < units_.lanes; ++l) {
      const Range* table = units_.ranges[l];
      const std::uint16_t* entries = units_.entries[l] + begin;
      Range* out = ranges_.data() + l;
      for (std::size_t k = 0; k < count; ++k) out[k * kMaxLanes] = table[entries[k]];
    }
  }
  const Range* step(std::size_t k) const { return ranges_.data() + k * kMaxLanes; }

 private:
  static constexpr Range kIdle = (kContextTotal - 1) << 16;
  const UnitsToEncode& units_;
  alignas(64) std::array<Range, kSteps * kMaxLanes> ranges_{};
};

Loops scalarLoops();
/// For processors with AVX2, or with AVX-512 (F, BW, DQ and VL), asked for at run time; where the
/// processor or the compiler's target lacks it, the next lower ones.
Loops avx2Loops();
Loops avx512Loops();
/// For 64-bit Arm, of which every processor has NEON; elsewhere the scalar ones.
Loops neonLoops();
/// Those for the most that this processor has.
Loops fastestLoops();
bool hasAvx2();
bool hasAvx512();
bool hasNeon();

/// Exact quotients of 32-bit numbers by frequencies from 2 on: x / f = x * reciprocals()[f] >> 64.
const std::vector<std::uint64_t>& reciprocals();

/// One unit into a state of the encoder.
inline void putUnit(const std::uint64_t* reciprocal, std::uint32_t& state, Range range,
                    std::uint16_t*& next) {
  const std::uint32_t frequency = range >> 16;
  std::uint32_t x = state;
  const bool full = x >= frequency << (32 - kContextPrecision);
  next[-1] = static_cast<std::uint16_t>(x);
  next -= static_cast<std::ptrdiff_t>(full);
  x >>= static_cast<unsigned>(full) * 16;
  // The reciprocal of 1 has no room in 64 bits: its entry is 0.
  const auto product = static_cast<unsigned __int128>(x) * reciprocal[frequency];
  const std::uint32_t q =
      static_cast<std::uint32_t>(product >> 64) + (frequency == 1 ? x : std::uint32_t{0});
  state = (q << kContextPrecision) + (x - q * frequency) + (range & 0xFFFF);
}

/// One unit out of a state of the decoder.
inline std::uint32_t takeUnit(std::uint32_t& state, const std::uint16_t* row,
                              const std::uint16_t*& next) {
  const std::uint32_t slot = state & (kContextTotal - 1);
  // Counting all sixteen ends instead of stopping at one lets compilers vectorise.
  std::uint16_t passed = 0;
  for (std::size_t u = 0; u < kUnitSymbols; ++u) {
    passed = static_cast<std::uint16_t>(passed + (row[u] <= slot ? 1 : 0));
  }
  const std::uint32_t unit = passed;
  const std::uint32_t start = row[static_cast<std::ptrdiff_t>(unit) - 1] & (kContextTotal - 1);
  const std::uint32_t frequency = row[unit] - start;
  const std::uint32_t x = frequency * (state >> kContextPrecision) + slot - start;
  const bool low = x < kLowest;
  const std::uint32_t refilled = x << 16 | *next;
  next += low ? 1 : 0;
  state = low ? refilled : x;
  return unit;
}

}  // namespace narrows::context
