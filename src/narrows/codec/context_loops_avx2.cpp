#include "narrows/codec/context_loops.h"

#if defined(__x86_64__)
#include <algorithm>

#include "narrows/codec/context_avx2.h"
#include "narrows/codec/context_guess_pairs.h"
#endif

namespace narrows::context {

#if defined(__x86_64__)
namespace {

/// Lanes below which the scalar loops are faster.
constexpr std::size_t kFewestLanes = 3;

/// How the unit to the left enters a context.
enum class Left { itself, by_table, masked };

template <Left kLeft>
NARROWS_AVX2 inline std::size_t contextOf(const RowsToDecode& rows, const LaneRow& lane,
                                          std::size_t j, std::size_t left) {
  const std::size_t part = lane.parts[j];
  if constexpr (kLeft == Left::itself) return part + left;
  const std::size_t left_part = rows.left_parts[left];
  return part + (kLeft == Left::masked ? left_part & lane.masks[j] : left_part);
}

/// One unit in each of eight lanes; those not in `active` leave no trace.
template <Left kLeft, bool kFirst>
NARROWS_AVX2 inline __m256i decodeEight(const RowsToDecode& rows, const LaneRow* lane,
                                        std::size_t j, __m256i state, unsigned active,
                                        const std::uint16_t*& next) {
  alignas(32) std::array<std::uint32_t, kEight> limits{};
  _mm256_store_si256(reinterpret_cast<__m256i*>(limits.data()), limitsOf(slotsOf(state)));
  __m128i pair[kEight];
  for (std::size_t l = 0; l < kEight; ++l) {
    const std::size_t left = kFirst ? lane[l].left : lane[l].units[j - 1];
    const std::size_t row = rows.row_of[contextOf<kLeft>(rows, lane[l], j, left)];
    const std::uint16_t* ends = lane[l].ends + row * kUnitSymbols;
    const __m256i passed =
        _mm256_cmpgt_epi16(_mm256_set1_epi32(static_cast<int>(limits[l])),
                           _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ends)));
    // Two bits for each unit.
    const auto units =
        static_cast<unsigned>(std::popcount(static_cast<unsigned>(_mm256_movemask_epi8(passed))));
    lane[l].units[j] = static_cast<std::uint8_t>(units >> 1);
    pair[l] = loadPair(reinterpret_cast<const std::uint8_t*>(ends - 1) + units);
  }
  return takePairs(state, pair, active, next);
}

template <Left kLeft>
NARROWS_AVX2 const std::uint16_t* decodeRowsBy(RowsToDecode& rows, States& states,
                                               const std::uint16_t* next) {
  // Lanes without a plane repeat the first one's steps into a place that nobody reads.
  std::vector<std::uint8_t>& scratch = rows.scratch;
  scratch.resize(rows.columns);
  const std::size_t used = rows.lanes <= kEight ? kEight : kMaxLanes;
  for (std::size_t l = rows.lanes; l < used; ++l) {
    rows.lane[l] = rows.lane[0];
    rows.lane[l].units = scratch.data();
  }
  const unsigned active = (1U << rows.lanes) - 1;
  auto* const at = reinterpret_cast<__m256i*>(states.data());
  __m256i first = _mm256_loadu_si256(at);
  __m256i second = _mm256_loadu_si256(at + 1);
  const LaneRow* lane = rows.lane.data();
  const unsigned upper = active >> kEight;
  const std::size_t columns = rows.columns;
  if (used == kEight) {
    first = decodeEight<kLeft, true>(rows, lane, 0, first, active, next);
    for (std::size_t j = 1; j < columns; ++j) {
      first = decodeEight<kLeft, false>(rows, lane, j, first, active, next);
    }
  } else {
    first = decodeEight<kLeft, true>(rows, lane, 0, first, 0xFF, next);
    second = decodeEight<kLeft, true>(rows, lane + kEight, 0, second, upper, next);
    for (std::size_t j = 1; j < columns; ++j) {
      first = decodeEight<kLeft, false>(rows, lane, j, first, 0xFF, next);
      second = decodeEight<kLeft, false>(rows, lane + kEight, j, second, upper, next);
    }
  }
  alignas(32) States after;
  _mm256_store_si256(reinterpret_cast<__m256i*>(after.data()), first);
  _mm256_store_si256(reinterpret_cast<__m256i*>(after.data()) + 1, second);
  for (std::size_t l = 0; l < rows.lanes; ++l) states[l] = after[l];
  return next;
}

NARROWS_AVX2 const std::uint16_t* decodeRows(RowsToDecode& rows, States& states,
                                             const std::uint16_t* next) {
  if (rows.lanes < kFewestLanes || rows.columns == 0)
    return scalarLoops().decode(rows, states, next);
  if (rows.lane[0].masks != nullptr) return decodeRowsBy<Left::masked>(rows, states, next);
  return rows.left_parts == nullptr ? decodeRowsBy<Left::itself>(rows, states, next)
                                    : decodeRowsBy<Left::by_table>(rows, states, next);
}

/// x / frequency, or one less: rounding is kept below it, and quotients are below 2^18.
NARROWS_AVX2 inline __m256i quotients(__m256i x, __m256i frequency) {
  const __m256 share = _mm256_div_ps(_mm256_set1_ps(1 - 0x1p-21F), _mm256_cvtepi32_ps(frequency));
  // As a signed number, and 2^32 more where that is negative.
  const __m256 wrap =
      _mm256_and_ps(_mm256_castsi256_ps(_mm256_srai_epi32(x, 31)), _mm256_set1_ps(0x1p32F));
  return _mm256_cvttps_epi32(_mm256_mul_ps(_mm256_add_ps(_mm256_cvtepi32_ps(x), wrap), share));
}

NARROWS_AVX2 inline __m256i encodeEight(__m256i x, __m256i range, unsigned active,
                                        std::uint16_t*& next) {
  const __m256i frequency = _mm256_srli_epi32(range, 16);
  const __m256i limit = _mm256_slli_epi32(frequency, 32 - kContextPrecision);
  const __m256i full = _mm256_cmpeq_epi32(_mm256_max_epu32(x, limit), x);
  const unsigned set =
      static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(full))) & active;
  const __m256i chosen = _mm256_permutevar8x32_epi32(_mm256_and_si256(x, _mm256_set1_epi32(0xFFFF)),
                                                     loadRow(kPermutations.gather[set]));
  const __m128i words =
      _mm_packus_epi32(_mm256_castsi256_si128(chosen), _mm256_extracti128_si256(chosen, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(next - kEight), words);
  next -= std::popcount(set);
  x = _mm256_blendv_epi8(x, _mm256_srli_epi32(x, 16), full);
  const __m256i q = quotients(x, frequency);
  const __m256i rest = _mm256_sub_epi32(x, _mm256_mullo_epi32(q, frequency));
  // Where the quotient is one short, the rest is a frequency too large.
  const __m256i within = _mm256_cmpgt_epi32(frequency, rest);
  const __m256i step = _mm256_sub_epi32(_mm256_set1_epi32(kContextTotal), frequency);
  const __m256i start = _mm256_and_si256(range, _mm256_set1_epi32(0xFFFF));
  return _mm256_add_epi32(
      _mm256_add_epi32(_mm256_slli_epi32(q, kContextPrecision), _mm256_add_epi32(rest, start)),
      _mm256_andnot_si256(within, step));
}

NARROWS_AVX2 std::uint16_t* encodeUnits(const UnitsToEncode& units, States& states,
                                        std::uint16_t* next) {
  if (units.lanes < kFewestLanes) return scalarLoops().encode(units, states, next);
  const unsigned active = (1U << units.lanes) - 1;
  alignas(32) States after = states;
  auto* const at = reinterpret_cast<__m256i*>(after.data());
  __m256i first = _mm256_load_si256(at);
  __m256i second = _mm256_load_si256(at + 1);
  RangeBlock block(units);
  for (std::size_t end = units.steps; end > 0;) {
    const std::size_t count = std::min(end, RangeBlock::kSteps);
    end -= count;
    block.load(end, count);
    for (std::size_t k = count; k-- > 0;) {
      const auto* step = reinterpret_cast<const __m256i*>(block.step(k));
      if (units.lanes > kEight)
        second = encodeEight(second, _mm256_load_si256(step + 1), active >> kEight, next);
      first = encodeEight(first, _mm256_load_si256(step), active & 0xFF, next);
    }
  }
  _mm256_store_si256(at, first);
  _mm256_store_si256(at + 1, second);
  for (std::size_t l = 0; l < units.lanes; ++l) states[l] = after[l];
  return next;
}

/// Adds two kinds of values with their weights to the sums of 32 places: those of the lower and of
/// the upper half of each 128 bits.
NARROWS_AVX2 inline void addPair(const std::uint8_t* even, const std::uint8_t* odd, __m256i weights,
                                 __m256i& lower, __m256i& upper) {
  const __m256i e = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(even));
  const __m256i o = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(odd));
  lower = _mm256_add_epi16(lower, _mm256_maddubs_epi16(_mm256_unpacklo_epi8(e, o), weights));
  upper = _mm256_add_epi16(upper, _mm256_maddubs_epi16(_mm256_unpackhi_epi8(e, o), weights));
}

NARROWS_AVX2 void guessLevels(const GuessTask& task, std::uint8_t* levels) {
  static_assert(kGuessBlock == 32);
  const GuessPairs pairs(task);
  for (std::size_t begin = 0; begin < task.count; begin += kGuessBlock) {
    __m256i lower = _mm256_setzero_si256();
    __m256i upper = lower;
    for (std::size_t k = 0; k < pairs.count; ++k) {
      addPair(pairs.even[k] + begin, pairs.odd[k] + begin, _mm256_set1_epi16(pairs.weights[k]),
              lower, upper);
    }
    __m256i passed = _mm256_setzero_si256();
    for (const std::int16_t threshold : task.thresholds) {
      const __m256i limit = _mm256_set1_epi16(threshold);
      // Each comparison that holds is -1.
      passed = _mm256_sub_epi8(passed, _mm256_packs_epi16(_mm256_cmpgt_epi16(lower, limit),
                                                          _mm256_cmpgt_epi16(upper, limit)));
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(levels + begin), passed);
  }
}

}  // namespace

bool hasAvx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("popcnt");
}

Loops avx2Loops() {
  return hasAvx2() ? Loops{decodeRows, encodeUnits, guessLevels} : scalarLoops();
}

#else

bool hasAvx2() {
  return false;
}

Loops avx2Loops() {
  return scalarLoops();
}

#endif

}  // namespace narrows::context
