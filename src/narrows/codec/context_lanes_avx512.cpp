#include "narrows/codec/context_lanes.h"

#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the "undefined" vectors of its own header for mistakes.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#define NARROWS_LANES __attribute__((target("avx2,avx512f,avx512bw,avx512dq,avx512vl,bmi,popcnt")))
#include "narrows/codec/context_avx2.h"
#include "narrows/codec/context_lanes_loops.h"
#endif

namespace narrows::context {

#if defined(__x86_64__)
namespace {

/// The way from one state to the next is what takes the time: it is kept short.
struct Avx512Step : Avx2Step {
  template <class Rows>
  NARROWS_LANES static __m256i take(const Rows& rows, __m256i state, unsigned active,
                                    std::uint8_t* twice, const std::uint16_t*& next) {
    const __m256i slot = slotsOf(state);
    __m128i pair[kEight];
    for (std::size_t l = 0; l < kEight; ++l) {
      const std::uint16_t* ends = rows.ends(l);
      const __m256i mine =
          _mm256_permutexvar_epi16(_mm256_set1_epi16(static_cast<short>(2 * l)), slot);
      const __m256i above =
          _mm256_cmpgt_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(ends)), mine);
      // Two bits for each end; the last one always lies above.
      const auto units = static_cast<unsigned>(
          std::countr_zero(static_cast<unsigned>(_mm256_movemask_epi8(above))));
      twice[l] = static_cast<std::uint8_t>(units);
      pair[l] = loadPair(reinterpret_cast<const std::uint8_t*>(ends - 1) + units);
    }
    const __m256i pairs = joinPairs(pair);
    const __m256i x = statesAfter(state, slot, pairs);
    const __mmask8 low = _mm256_mask_cmplt_epu32_mask(static_cast<__mmask8>(active), x,
                                                      _mm256_set1_epi32(static_cast<int>(kLowest)));
    const __m256i words =
        _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(next)));
    next += std::popcount(static_cast<unsigned>(low));
    return _mm256_mask_or_epi32(x, low, _mm256_slli_epi32(x, 16),
                                _mm256_maskz_expand_epi32(low, words));
  }
};

}  // namespace

DecodeGroup avx512DecodeGroup() {
  return hasAvx512() ? decodeGroup<Avx512Step> : avx2DecodeGroup();
}

#else

DecodeGroup avx512DecodeGroup() {
  return nullptr;
}

#endif

}  // namespace narrows::context
