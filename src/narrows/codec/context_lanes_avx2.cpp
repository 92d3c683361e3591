#include "narrows/codec/context_lanes.h"

#if defined(__x86_64__)
#include "narrows/codec/context_avx2.h"
#define NARROWS_LANES NARROWS_AVX2
#include "narrows/codec/context_lanes_x86.h"
#endif

namespace narrows::context {

#if defined(__x86_64__)
namespace {

struct Avx2Step {
  /// One unit in each of eight lanes; `left` and `out` are twice the units.
  template <int Bits, std::size_t kLanes>
  NARROWS_AVX2 static __m256i decode(const Lanes<kLanes>& lanes, std::size_t first_lane,
                                     const std::uint8_t* row_of, const std::uint16_t* parts,
                                     const std::uint8_t* left, std::uint8_t* out, __m256i state,
                                     unsigned active, const std::uint16_t*& next) {
    alignas(32) std::array<std::uint32_t, kEight> limits;
    _mm256_store_si256(reinterpret_cast<__m256i*>(limits.data()), limitsOf(slotsOf(state)));
    __m128i pair[kEight];
    for (std::size_t l = 0; l < kEight; ++l) {
      const std::size_t twice = left[l];
      const std::size_t left_part = Bits == 1   ? twice >> 2
                                    : Bits == 2 ? std::size_t{lanes.left_part[twice]}
                                                : twice >> 1;
      const std::size_t row = row_of[parts[l] + left_part];
      const std::uint16_t* ends = lanes.ends[first_lane + l] + row * kUnitSymbols;
      const __m256i passed =
          _mm256_cmpgt_epi16(_mm256_set1_epi32(static_cast<int>(limits[l])),
                             _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ends)));
      // Two bits for each end.
      const auto units =
          static_cast<unsigned>(std::popcount(static_cast<unsigned>(_mm256_movemask_epi8(passed))));
      out[l] = static_cast<std::uint8_t>(units);
      pair[l] = loadPair(reinterpret_cast<const std::uint8_t*>(ends - 1) + units);
    }
    return takePairs(state, pair, active, next);
  }
};

}  // namespace

DecodeGroup avx2DecodeGroup() {
  return hasAvx2() ? decodeGroup<Avx2Step> : nullptr;
}

#else

DecodeGroup avx2DecodeGroup() {
  return nullptr;
}

#endif

}  // namespace narrows::context
