#include <immintrin.h>

#include "narrows/engine/executor/kernels/table.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#define NARROWS_INLINE static inline __attribute__((always_inline))

namespace narrows::executor {
namespace {

constexpr int kLanes = 8;
constexpr int kPixels = 4;
constexpr int kVectors = 3;
constexpr int kColumns = 4;

using Vec = __m256;
using Mask = __m256i;

NARROWS_INLINE Mask maskOf(std::int64_t count) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count > 8 ? 8 : count)), index);
}
NARROWS_INLINE Vec load(const float* p) {
  return _mm256_loadu_ps(p);
}
NARROWS_INLINE Vec load(const float* p, Mask mask) {
  return _mm256_maskload_ps(p, mask);
}
// Brings a line into the second cache; any address will do.
NARROWS_INLINE void fetch(const float* p) {
  _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T1);
}
NARROWS_INLINE void store(float* p, Vec v) {
  _mm256_storeu_ps(p, v);
}
NARROWS_INLINE void store(float* p, Vec v, Mask mask) {
  _mm256_maskstore_ps(p, mask, v);
}
NARROWS_INLINE Vec splat(float x) {
  return _mm256_set1_ps(x);
}
NARROWS_INLINE Vec fma(Vec a, Vec b, Vec c) {
  return _mm256_fmadd_ps(a, b, c);
}
NARROWS_INLINE Vec add(Vec a, Vec b) {
  return _mm256_add_ps(a, b);
}
NARROWS_INLINE Vec sub(Vec a, Vec b) {
  return _mm256_sub_ps(a, b);
}
NARROWS_INLINE Vec mul(Vec a, Vec b) {
  return _mm256_mul_ps(a, b);
}
NARROWS_INLINE Vec div(Vec a, Vec b) {
  return _mm256_div_ps(a, b);
}
// The second operand when one is not a number.
NARROWS_INLINE Vec max(Vec a, Vec b) {
  return _mm256_max_ps(a, b);
}
NARROWS_INLINE Vec min(Vec a, Vec b) {
  return _mm256_min_ps(a, b);
}
NARROWS_INLINE Vec roundEven(Vec a) {
  return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// a * 2^n for a whole n within the range of normal exponents.
NARROWS_INLINE Vec scale(Vec a, Vec n) {
  const __m256i bits =
      _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return _mm256_mul_ps(a, _mm256_castsi256_ps(bits));
}
// Element j of v[i] and element i of v[j] change places.
NARROWS_INLINE void transpose(Vec (&v)[kLanes]) {
  Vec fours[kLanes];  // columns of four rows each, two columns in one vector
  for (int i = 0; i < kLanes; i += 4) {
    const Vec a = _mm256_unpacklo_ps(v[i], v[i + 1]);
    const Vec b = _mm256_unpackhi_ps(v[i], v[i + 1]);
    const Vec c = _mm256_unpacklo_ps(v[i + 2], v[i + 3]);
    const Vec d = _mm256_unpackhi_ps(v[i + 2], v[i + 3]);
    fours[i] = _mm256_shuffle_ps(a, c, 0x44);
    fours[i + 1] = _mm256_shuffle_ps(a, c, 0xEE);
    fours[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
    fours[i + 3] = _mm256_shuffle_ps(b, d, 0xEE);
  }
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm256_permute2f128_ps(fours[i], fours[4 + i], 0x20);
    v[4 + i] = _mm256_permute2f128_ps(fours[i], fours[4 + i], 0x31);
  }
}
NARROWS_INLINE Vec selectNegative(Vec x, Vec negative, Vec other) {
  return _mm256_blendv_ps(other, negative, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ));
}

#include "narrows/engine/executor/kernels/body.inc"

}  // namespace

const KernelTable& avx2Table() {
  static constexpr KernelTable kTable = tableNamed("avx2");
  return kTable;
}

}  // namespace narrows::executor

#if defined(__clang__)
#pragma clang attribute pop
#endif
