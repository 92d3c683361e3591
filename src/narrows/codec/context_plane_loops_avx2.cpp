#include "narrows/codec/context_plane_loops.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "narrows/codec/context_neighbours.h"
#include "narrows/codec/context_symbols.h"
#endif

namespace narrows::context {

#if defined(__x86_64__)
#define NARROWS_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
namespace {

NARROWS_AVX2 void contexts(int bits, const ContextTask& task) {
  contextsOf<true>(bits, task);
}

NARROWS_AVX2 void parts(int bits, const ContextTask& task) {
  contextsOf<false>(bits, task);
}

NARROWS_AVX2 void addGuess(const ContextTask& task) {
  addGuessOf(task);
}

NARROWS_AVX2 inline __m256i load(const std::uint8_t* at) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
}
NARROWS_AVX2 inline void store(std::uint8_t* at, __m256i bytes) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), bytes);
}

NARROWS_AVX2 void splitFours(const std::uint8_t* symbols, std::size_t count, std::uint8_t* units) {
  constexpr std::size_t kUnits = 8;
  std::size_t j = 0;
  for (; j + kUnits <= count; j += kUnits) {
    const __m256i top = _mm256_slli_epi16(load(symbols + 4 * j), 7);
    const auto bits = static_cast<std::uint32_t>(_mm256_movemask_epi8(top));
    const std::uint64_t eight = _pdep_u64(bits, 0x0F0F0F0F0F0F0F0F);
    std::memcpy(units + j, &eight, kUnits);
  }
  splitFoursFrom(j, symbols, count, units);
}

NARROWS_AVX2 void splitTwos(const std::uint8_t* symbols, std::size_t count, std::uint8_t* units) {
  constexpr std::size_t kUnits = 16;
  // The second of two counts four times.
  const __m256i weights = _mm256_set1_epi16(0x0401);
  std::size_t j = 0;
  for (; j + kUnits <= count; j += kUnits) {
    const __m256i wide = _mm256_maddubs_epi16(load(symbols + 2 * j), weights);
    const __m128i bytes =
        _mm_packus_epi16(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(units + j), bytes);
  }
  if (j + kUnits / 2 <= count) {
    const __m128i eight = _mm_loadu_si128(reinterpret_cast<const __m128i*>(symbols + 2 * j));
    const __m128i wide = _mm_maddubs_epi16(eight, _mm256_castsi256_si128(weights));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(units + j), _mm_packus_epi16(wide, wide));
    j += kUnits / 2;
  }
  splitTwosFrom(j, symbols, count, units);
}

NARROWS_AVX2 void joinFours(const std::uint8_t* units, std::size_t count, std::uint8_t* symbols) {
  constexpr std::size_t kUnits = 8;
  const __m256i spread = _mm256_setr_epi8(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4,
                                          4, 5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7);
  const __m256i bit = _mm256_set1_epi32(0x08040201);
  std::size_t j = 0;
  for (; j + kUnits <= count; j += kUnits) {
    std::int64_t eight = 0;
    std::memcpy(&eight, units + j, kUnits);
    const __m256i copies = _mm256_shuffle_epi8(_mm256_set1_epi64x(eight), spread);
    const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(copies, bit), bit);
    store(symbols + 4 * j, _mm256_and_si256(set, _mm256_set1_epi8(1)));
  }
  joinFoursFrom(j, units, count, symbols);
}

NARROWS_AVX2 void joinTwos(const std::uint8_t* units, std::size_t count, std::uint8_t* symbols) {
  constexpr std::size_t kUnits = 16;
  const __m256i mask = _mm256_set1_epi16(0x0303);
  std::size_t j = 0;
  for (; j + kUnits <= count; j += kUnits) {
    const __m256i wide =
        _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(units + j)));
    store(symbols + 2 * j,
          _mm256_and_si256(_mm256_or_si256(wide, _mm256_slli_epi16(wide, 6)), mask));
  }
  if (j + kUnits / 2 <= count) {
    const __m128i wide =
        _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(units + j)));
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(symbols + 2 * j),
        _mm_and_si128(_mm_or_si128(wide, _mm_slli_epi16(wide, 6)), _mm256_castsi256_si128(mask)));
    j += kUnits / 2;
  }
  joinTwosFrom(j, units, count, symbols);
}

NARROWS_AVX2 void addBytes(const std::uint8_t* a, const std::uint8_t* b, std::size_t count,
                           std::uint8_t* out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<std::uint8_t>(a[i] + b[i]);
}

}  // namespace

PlaneLoops avx2PlaneLoops() {
  const bool usable = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                      __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
  if (!usable) return scalarPlaneLoops();
  return {contexts, parts, addGuess, splitFours, splitTwos, joinFours, joinTwos, addBytes};
}

#else

PlaneLoops avx2PlaneLoops() {
  return scalarPlaneLoops();
}

#endif

}  // namespace narrows::context
