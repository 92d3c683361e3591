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
  Loops loops = avx2Loops();
  if (!hasAvx512()) return loops;
  // Units are found a lane at a time, at which AVX-512 is not faster.
  loops.encode = encodeUnits;
  loops.guess = guessLevels;
  return loops;
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
