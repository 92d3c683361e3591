#pragma once

#if defined(__x86_64__)
#include <immintrin.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "narrows/codec/context_tables.h"

/// What loops with AVX2 share: states of eight lanes.
#define NARROWS_AVX2 __attribute__((target("avx2,bmi,popcnt")))
namespace narrows::context {

inline constexpr std::size_t kEight = 8;

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

}  // namespace narrows::context
#endif
