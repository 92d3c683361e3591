#include "narrows/codec/context_loops.h"

#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the "undefined" vectors of its own header for mistakes.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include <algorithm>
#include <bit>

#include "narrows/codec/context_guess_pairs.h"
#endif

namespace narrows::context {

#if defined(__x86_64__)
#define NARROWS_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,bmi,popcnt")))
namespace {

constexpr std::size_t kEight = 8;

/// Start and end of a unit's range as they lie in its row.
NARROWS_AVX512 inline __m128i fourPairs(const std::uint16_t* const* at) {
  return _mm_unpacklo_epi64(_mm_unpacklo_epi32(_mm_loadu_si32(at[0]), _mm_loadu_si32(at[1])),
                            _mm_unpacklo_epi32(_mm_loadu_si32(at[2]), _mm_loadu_si32(at[3])));
}

/// One unit in each of sixteen lanes; those not in `active` leave no trace.
NARROWS_AVX512 inline __m512i decodeSixteen(RowsToDecode& rows, std::size_t j, __m512i state,
                                            __mmask16 active, const std::uint16_t*& next) {
  const __m512i total_mask = _mm512_set1_epi32(static_cast<int>(kContextTotal - 1));
  const __m512i slot = _mm512_and_si512(state, total_mask);
  alignas(64) std::array<std::uint32_t, kMaxLanes> slots{};
  _mm512_store_si512(slots.data(), slot);
  std::array<const std::uint16_t*, kMaxLanes> pair{};
  for (std::size_t l = 0; l < kMaxLanes; ++l) {
    LaneRow& lane = rows.lane[l];
    const std::size_t left = rows.left_parts == nullptr ? lane.left : rows.left_parts[lane.left];
    const std::size_t context =
        lane.parts[j] + (lane.masks == nullptr ? left : left & lane.masks[j]);
    const std::uint16_t* ends =
        lane.ends + static_cast<std::size_t>(rows.row_of[context]) * kUnitSymbols;
    const __mmask16 above =
        _mm256_cmpgt_epi16_mask(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(ends)),
                                _mm256_set1_epi16(static_cast<short>(slots[l])));
    const auto unit = static_cast<std::uint32_t>(std::countr_zero(static_cast<unsigned>(above)));
    lane.left = lane.units[j] = static_cast<std::uint8_t>(unit);
    pair[l] = ends + unit - 1;
  }
  __m512i pairs = _mm512_castsi128_si512(fourPairs(pair.data()));
  pairs = _mm512_inserti32x4(pairs, fourPairs(pair.data() + 4), 1);
  pairs = _mm512_inserti32x4(pairs, fourPairs(pair.data() + 8), 2);
  pairs = _mm512_inserti32x4(pairs, fourPairs(pair.data() + 12), 3);
  const __m512i start = _mm512_and_si512(pairs, total_mask);
  const __m512i frequency = _mm512_sub_epi32(_mm512_srli_epi32(pairs, 16), start);
  const __m512i x =
      _mm512_add_epi32(_mm512_mullo_epi32(frequency, _mm512_srli_epi32(state, kContextPrecision)),
                       _mm512_sub_epi32(slot, start));
  const __mmask16 low =
      _mm512_mask_cmplt_epu32_mask(active, x, _mm512_set1_epi32(static_cast<int>(kLowest)));
  const __m512i words =
      _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(next)));
  next += std::popcount(static_cast<unsigned>(low));
  return _mm512_mask_or_epi32(x, low, _mm512_slli_epi32(x, 16),
                              _mm512_maskz_expand_epi32(low, words));
}

NARROWS_AVX512 const std::uint16_t* decodeRows(RowsToDecode& rows, States& states,
                                               const std::uint16_t* next) {
  if (rows.lanes <= kEight) return avx2Loops().decode(rows, states, next);
  // Lanes without a plane repeat the first one's steps into a place that nobody reads.
  rows.scratch.resize(rows.columns);
  for (std::size_t l = rows.lanes; l < kMaxLanes; ++l) {
    rows.lane[l] = rows.lane[0];
    rows.lane[l].units = rows.scratch.data();
  }
  const auto active = static_cast<__mmask16>((1U << rows.lanes) - 1);
  __m512i state = _mm512_loadu_si512(states.data());
  for (std::size_t j = 0; j < rows.columns; ++j) {
    state = decodeSixteen(rows, j, state, active, next);
  }
  _mm512_mask_storeu_epi32(states.data(), active, state);
  return next;
}

NARROWS_AVX512 std::uint16_t* encodeUnits(const UnitsToEncode& units, States& states,
                                          std::uint16_t* next) {
  if (units.lanes <= kEight) return avx2Loops().encode(units, states, next);
  const auto active = static_cast<__mmask16>((1U << units.lanes) - 1);
  const __m512 below_one = _mm512_set1_ps(1 - 0x1p-21F);
  const __m512i total = _mm512_set1_epi32(kContextTotal);
  __m512i x = _mm512_loadu_si512(states.data());
  RangeBlock block(units);
  for (std::size_t end = units.steps; end > 0;) {
    const std::size_t steps = std::min(end, RangeBlock::kSteps);
    end -= steps;
    block.load(end, steps);
    for (std::size_t k = steps; k-- > 0;) {
      const __m512i range = _mm512_load_si512(block.step(k));
      const __m512i frequency = _mm512_srli_epi32(range, 16);
      const __m512i start = _mm512_and_si512(range, _mm512_set1_epi32(0xFFFF));
      const __m512 share = _mm512_div_ps(below_one, _mm512_cvtepi32_ps(frequency));
      const __mmask16 full = _mm512_mask_cmpge_epu32_mask(
          active, x, _mm512_slli_epi32(frequency, 32 - kContextPrecision));
      const auto count = static_cast<unsigned>(std::popcount(static_cast<unsigned>(full)));
      const __m256i words = _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(full, x));
      next -= count;
      _mm256_mask_storeu_epi16(next, static_cast<__mmask16>((1U << count) - 1), words);
      x = _mm512_mask_srli_epi32(x, full, x, 16);
      // x / frequency, or one less: rounding is kept below it, and quotients are below 2^18.
      const __m512i q = _mm512_cvttps_epi32(_mm512_mul_ps(_mm512_cvtepu32_ps(x), share));
      const __m512i rest = _mm512_sub_epi32(x, _mm512_mullo_epi32(q, frequency));
      const __mmask16 short_by_one = _mm512_cmpge_epi32_mask(rest, frequency);
      x = _mm512_add_epi32(_mm512_slli_epi32(q, kContextPrecision), _mm512_add_epi32(rest, start));
      x = _mm512_mask_add_epi32(x, short_by_one, x, _mm512_sub_epi32(total, frequency));
    }
  }
  _mm512_mask_storeu_epi32(states.data(), active, x);
  return next;
}

/// What one threshold adds to the levels of places whose sums lie above it.
NARROWS_AVX512 inline __m512i passing(__m512i passed, __m512i sums, __m512i limit) {
  return _mm512_mask_add_epi16(passed, _mm512_cmpgt_epi16_mask(sums, limit), passed,
                               _mm512_set1_epi16(1));
}

NARROWS_AVX512 void guessLevels(const GuessTask& task, std::uint8_t* levels) {
  constexpr std::size_t kBlock = 64;
  const GuessPairs pairs(task);
  for (std::size_t begin = 0; begin < task.count; begin += kBlock) {
    // Inputs and levels end with whole blocks of half this size.
    const __mmask64 inside = task.count - begin >= kBlock ? ~__mmask64{0} : 0xFFFFFFFFU;
    __m512i lower = _mm512_setzero_si512();
    __m512i upper = lower;
    for (std::size_t k = 0; k < pairs.count; ++k) {
      const __m512i even = _mm512_maskz_loadu_epi8(inside, pairs.even[k] + begin);
      const __m512i odd = _mm512_maskz_loadu_epi8(inside, pairs.odd[k] + begin);
      const __m512i pair = _mm512_set1_epi16(pairs.weights[k]);
      lower = _mm512_add_epi16(lower, _mm512_maddubs_epi16(_mm512_unpacklo_epi8(even, odd), pair));
      upper = _mm512_add_epi16(upper, _mm512_maddubs_epi16(_mm512_unpackhi_epi8(even, odd), pair));
    }
    __m512i passed_lower = _mm512_setzero_si512();
    __m512i passed_upper = passed_lower;
    for (const std::int16_t threshold : task.thresholds) {
      const __m512i limit = _mm512_set1_epi16(threshold);
      passed_lower = passing(passed_lower, lower, limit);
      passed_upper = passing(passed_upper, upper, limit);
    }
    _mm512_mask_storeu_epi8(levels + begin, inside,
                            _mm512_packus_epi16(passed_lower, passed_upper));
  }
}

}  // namespace

bool hasAvx512() {
  return hasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

Loops avx512Loops() {
  return hasAvx512() ? Loops{decodeRows, encodeUnits, guessLevels} : avx2Loops();
}

#else

bool hasAvx512() {
  return false;
}

Loops avx512Loops() {
  return scalarLoops();
}

#endif

}  // namespace narrows::context
