#pragma once

#if defined(__x86_64__)
#include <immintrin.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "narrows/codec/context_loops.h"

/// What loops with AVX2 share: states of eight lanes.
#define NARROWS_AVX2 __attribute__((target("avx2,bmi,popcnt")))
namespace narrows::context {

/// For each set of lanes: for the n-th lane of the set its number at place n, or at the place n
/// before the end.
struct Permutations {
  alignas(32) std::array<std::array<std::uint32_t, kEight>, 256> spread{};
  alignas(32) std::array<std::array<std::uint32_t, kEight>, 256> gather{};

  constexpr Permutations() {
    for (unsigned set = 0; set < 256; ++set) {
      std::uint32_t n = 0;
      const auto size = static_cast<std::uint32_t>(std::popcount(set));
      for (std::uint32_t lane = 0; lane < kEight; ++lane) {
        if ((set >> lane & 1) == 0) continue;
        spread[set][lane] = n;
        gather[set][kEight - size + n] = lane;
        ++n;
      }
    }
  }
};
inline constexpr Permutations kPermutations;

NARROWS_AVX2 inline __m256i loadRow(const std::array<std::uint32_t, kEight>& row) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(row.data()));
}

/// Start and end of a unit's range as they lie in its row.
NARROWS_AVX2 inline __m128i loadPair(const std::uint8_t* at) {
  return _mm_loadu_si32(at);
}

/// Where in its row each state points to; and what lies above every end that a unit there has
/// passed, twice in 32 bits.
NARROWS_AVX2 inline __m256i slotsOf(__m256i state) {
  return _mm256_and_si256(state, _mm256_set1_epi32(static_cast<int>(kContextTotal - 1)));
}
NARROWS_AVX2 inline __m256i limitsOf(__m256i slot) {
  const __m256i limit = _mm256_add_epi32(slot, _mm256_set1_epi32(1));
  return _mm256_or_si256(limit, _mm256_slli_epi32(limit, 16));
}

NARROWS_AVX2 inline __m256i joinPairs(const __m128i* pair) {
  return _mm256_set_m128i(_mm_unpacklo_epi64(_mm_unpacklo_epi32(pair[4], pair[5]),
                                             _mm_unpacklo_epi32(pair[6], pair[7])),
                          _mm_unpacklo_epi64(_mm_unpacklo_epi32(pair[0], pair[1]),
                                             _mm_unpacklo_epi32(pair[2], pair[3])));
}

/// States after units of which starts and ends are `pairs`, before they are refilled.
NARROWS_AVX2 inline __m256i statesAfter(__m256i state, __m256i slot, __m256i pairs) {
  const __m256i start =
      _mm256_and_si256(pairs, _mm256_set1_epi32(static_cast<int>(kContextTotal - 1)));
  const __m256i frequency = _mm256_sub_epi32(_mm256_srli_epi32(pairs, 16), start);
  return _mm256_add_epi32(
      _mm256_mullo_epi32(frequency, _mm256_srli_epi32(state, kContextPrecision)),
      _mm256_sub_epi32(slot, start));
}

/// The same, refilled; lanes not in `active` take no word.
NARROWS_AVX2 inline __m256i takePairs(__m256i state, const __m128i* pair, unsigned active,
                                      const std::uint16_t*& next) {
  const __m256i x = statesAfter(state, slotsOf(state), joinPairs(pair));
  const __m256i low = _mm256_cmpeq_epi32(_mm256_srli_epi32(x, 16), _mm256_setzero_si256());
  const unsigned set = static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(low))) & active;
  const __m256i words =
      _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(next)));
  const __m256i word = _mm256_permutevar8x32_epi32(words, loadRow(kPermutations.spread[set]));
  next += std::popcount(set);
  return _mm256_blendv_epi8(x, _mm256_or_si256(_mm256_slli_epi32(x, 16), word), low);
}

/// x / frequency, or one less: rounding is kept below it, and quotients are below 2^18.
NARROWS_AVX2 inline __m256i quotients(__m256i x, __m256i frequency) {
  const __m256 share = _mm256_div_ps(_mm256_set1_ps(1 - 0x1p-21F), _mm256_cvtepi32_ps(frequency));
  // As a signed number, and 2^32 more where that is negative.
  const __m256 wrap =
      _mm256_and_ps(_mm256_castsi256_ps(_mm256_srai_epi32(x, 31)), _mm256_set1_ps(0x1p32F));
  return _mm256_cvttps_epi32(_mm256_mul_ps(_mm256_add_ps(_mm256_cvtepi32_ps(x), wrap), share));
}

/// The states of eight lanes.
struct Avx2Step {
  using State = __m256i;

  NARROWS_AVX2 static __m256i load(const std::uint32_t* at) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
  }
  NARROWS_AVX2 static void store(__m256i state, std::uint32_t* at) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), state);
  }

  /// One unit out of each lane: `rows.ends(l)` are the ends of the row of lane `l`, `twice` gets
  /// twice the units. Lanes not in `active` take no word.
  template <class Rows>
  NARROWS_AVX2 static __m256i take(const Rows& rows, __m256i state, unsigned active,
                                   std::uint8_t* twice, const std::uint16_t*& next) {
    alignas(32) std::uint32_t limits[kEight];
    _mm256_store_si256(reinterpret_cast<__m256i*>(limits), limitsOf(slotsOf(state)));
    __m128i pair[kEight];
    for (std::size_t l = 0; l < kEight; ++l) {
      const std::uint16_t* ends = rows.ends(l);
      const __m256i passed =
          _mm256_cmpgt_epi16(_mm256_set1_epi32(static_cast<int>(limits[l])),
                             _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ends)));
      // Two bits for each end.
      const auto units =
          static_cast<unsigned>(std::popcount(static_cast<unsigned>(_mm256_movemask_epi8(passed))));
      twice[l] = static_cast<std::uint8_t>(units);
      pair[l] = loadPair(reinterpret_cast<const std::uint8_t*>(ends - 1) + units);
    }
    return takePairs(state, pair, active, next);
  }

  /// One unit, of these ranges, into each lane. Lanes not in `active` give no word.
  NARROWS_AVX2 static __m256i put(__m256i x, const Range* ranges, unsigned active,
                                  std::uint16_t*& next) {
    const __m256i range = _mm256_load_si256(reinterpret_cast<const __m256i*>(ranges));
    const __m256i frequency = _mm256_srli_epi32(range, 16);
    const __m256i limit = _mm256_slli_epi32(frequency, 32 - kContextPrecision);
    const __m256i full = _mm256_cmpeq_epi32(_mm256_max_epu32(x, limit), x);
    const unsigned set =
        static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(full))) & active;
    const __m256i chosen = _mm256_permutevar8x32_epi32(
        _mm256_and_si256(x, _mm256_set1_epi32(0xFFFF)), loadRow(kPermutations.gather[set]));
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
};

}  // namespace narrows::context
#endif
