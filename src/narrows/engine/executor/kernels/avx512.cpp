#include <immintrin.h>

#include "narrows/engine/executor/kernels/table.h"

#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,prefer-vector-width=512")
#endif

#define NARROWS_INLINE static inline __attribute__((always_inline))

namespace narrows::executor {
namespace {

constexpr int kLanes = 16;
constexpr int kPixels = 6;
constexpr int kVectors = 4;
constexpr int kColumns = 8;  // pixels of a window row at once

using Vec = __m512;
using Mask = __mmask16;

NARROWS_INLINE Mask maskOf(std::int64_t count) {
  return count >= kLanes ? static_cast<Mask>(0xFFFF) : static_cast<Mask>((1U << count) - 1U);
}
NARROWS_INLINE Vec load(const float* p) {
  return _mm512_loadu_ps(p);
}
NARROWS_INLINE Vec load(const float* p, Mask mask) {
  return _mm512_maskz_loadu_ps(mask, p);
}
// Brings a line into the second cache; any address will do.
NARROWS_INLINE void fetch(const float* p) {
  _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T1);
}
NARROWS_INLINE void store(float* p, Vec v) {
  _mm512_storeu_ps(p, v);
}
NARROWS_INLINE void store(float* p, Vec v, Mask mask) {
  _mm512_mask_storeu_ps(p, mask, v);
}
NARROWS_INLINE Vec splat(float x) {
  return _mm512_set1_ps(x);
}
NARROWS_INLINE Vec fma(Vec a, Vec b, Vec c) {
  return _mm512_fmadd_ps(a, b, c);
}
NARROWS_INLINE Vec add(Vec a, Vec b) {
  return _mm512_add_ps(a, b);
}
NARROWS_INLINE Vec sub(Vec a, Vec b) {
  return _mm512_sub_ps(a, b);
}
NARROWS_INLINE Vec mul(Vec a, Vec b) {
  return _mm512_mul_ps(a, b);
}
NARROWS_INLINE Vec div(Vec a, Vec b) {
  return _mm512_div_ps(a, b);
}
// The second operand when one is not a number.
NARROWS_INLINE Vec max(Vec a, Vec b) {
  return _mm512_max_ps(a, b);
}
NARROWS_INLINE Vec min(Vec a, Vec b) {
  return _mm512_min_ps(a, b);
}
NARROWS_INLINE Vec roundEven(Vec a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// a * 2^n for a whole n within the range of normal exponents.
NARROWS_INLINE Vec scale(Vec a, Vec n) {
  return _mm512_scalef_ps(a, n);
}
NARROWS_INLINE Vec selectNegative(Vec x, Vec negative, Vec other) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), other,
                              negative);
}

#include "narrows/engine/executor/kernels/body.inc"

}  // namespace

const KernelTable& avx512Table() {
  static constexpr KernelTable kTable = tableNamed("avx512");
  return kTable;
}

}  // namespace narrows::executor

#if defined(__clang__)
#pragma clang attribute pop
#endif
