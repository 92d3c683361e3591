#include "narrows/codec/context_loops.h"

#if defined(__x86_64__)
#include "narrows/codec/context_avx2.h"
#include "narrows/codec/context_guess_pairs.h"
#define NARROWS_LANES NARROWS_AVX2
#include "narrows/codec/context_row_loops.h"
#endif

namespace narrows::context {

#if defined(__x86_64__)
namespace {

/// Lengths are added two by two and held to 255.
NARROWS_AVX2 void listEntries(const UnitsToList& task, std::uint16_t* entries, ClassSums& sums) {
  const __m128i zero = _mm_setzero_si128();
  __m128i total = zero;
  const auto lengthsOf = [&](std::size_t k) {
    const unsigned entry = unsigned{task.first_entry[task.contexts[k]]} + task.units[k];
    entries[k] = static_cast<std::uint16_t>(entry);
    return reinterpret_cast<const __m128i*>(task.lengths + entry * kTables);
  };
  std::size_t k = 0;
  for (; k + 2 <= task.count; k += 2) {
    const __m128i first = _mm_loadl_epi64(lengthsOf(k));
    const __m128i both = _mm_adds_epu8(first, _mm_loadl_epi64(lengthsOf(k + 1)));
    total = _mm_add_epi16(total, _mm_unpacklo_epi8(both, zero));
  }
  if (k < task.count) {
    total = _mm_add_epi16(total, _mm_unpacklo_epi8(_mm_loadl_epi64(lengthsOf(k)), zero));
  }
  std::uint16_t part[kTables];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(part), total);
  for (std::size_t t = 0; t < kTables; ++t) sums[t] += part[t];
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
  return hasAvx2() ? Loops{decodeRows<Avx2Step>, encodeUnits<Avx2Step>, listEntries, guessLevels}
                   : scalarLoops();
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
