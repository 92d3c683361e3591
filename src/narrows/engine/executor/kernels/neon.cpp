#include <arm_neon.h>

#include "narrows/engine/executor/kernels/table.h"

#define NARROWS_INLINE static inline __attribute__((always_inline))

namespace narrows::executor {
namespace {

constexpr int kLanes = 4;
constexpr int kPixels = 8;
constexpr int kVectors = 3;
constexpr int kColumns = 4;

using Vec = float32x4_t;
using Mask = std::int64_t;

NARROWS_INLINE Mask maskOf(std::int64_t count) {
  return count;
}
NARROWS_INLINE Vec load(const float* p) {
  return vld1q_f32(p);
}
NARROWS_INLINE Vec load(const float* p, Mask mask) {
  if (mask >= kLanes) return vld1q_f32(p);
  Vec v = vdupq_n_f32(0.0F);
  if (mask > 0) v = vld1q_lane_f32(p, v, 0);
  if (mask > 1) v = vld1q_lane_f32(p + 1, v, 1);
  if (mask > 2) v = vld1q_lane_f32(p + 2, v, 2);
  return v;
}
// Brings a line into the second cache; any address will do.
NARROWS_INLINE void fetch(const float* p) {
  __builtin_prefetch(p, 0, 2);
}
NARROWS_INLINE void store(float* p, Vec v) {
  vst1q_f32(p, v);
}
NARROWS_INLINE void store(float* p, Vec v, Mask mask) {
  if (mask >= kLanes) return vst1q_f32(p, v);
  if (mask > 0) vst1q_lane_f32(p, v, 0);
  if (mask > 1) vst1q_lane_f32(p + 1, v, 1);
  if (mask > 2) vst1q_lane_f32(p + 2, v, 2);
}
NARROWS_INLINE Vec splat(float x) {
  return vdupq_n_f32(x);
}
NARROWS_INLINE Vec fma(Vec a, Vec b, Vec c) {
  return vfmaq_f32(c, a, b);
}
NARROWS_INLINE Vec add(Vec a, Vec b) {
  return vaddq_f32(a, b);
}
NARROWS_INLINE Vec sub(Vec a, Vec b) {
  return vsubq_f32(a, b);
}
NARROWS_INLINE Vec mul(Vec a, Vec b) {
  return vmulq_f32(a, b);
}
NARROWS_INLINE Vec div(Vec a, Vec b) {
  return vdivq_f32(a, b);
}
// The second operand when one is not a number.
NARROWS_INLINE Vec max(Vec a, Vec b) {
  return vbslq_f32(vcgtq_f32(a, b), a, b);
}
NARROWS_INLINE Vec min(Vec a, Vec b) {
  return vbslq_f32(vcltq_f32(a, b), a, b);
}
NARROWS_INLINE Vec roundEven(Vec a) {
  return vrndnq_f32(a);
}
// a * 2^n for a whole n within the range of normal exponents.
NARROWS_INLINE Vec scale(Vec a, Vec n) {
  const int32x4_t bits = vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127)), 23);
  return vmulq_f32(a, vreinterpretq_f32_s32(bits));
}
// Element j of v[i] and element i of v[j] change places.
NARROWS_INLINE void transpose(Vec (&v)[kLanes]) {
  const float32x4x2_t a = vtrnq_f32(v[0], v[1]);
  const float32x4x2_t b = vtrnq_f32(v[2], v[3]);
  for (int i = 0; i < 2; ++i) {
    v[i] = vcombine_f32(vget_low_f32(a.val[i]), vget_low_f32(b.val[i]));
    v[2 + i] = vcombine_f32(vget_high_f32(a.val[i]), vget_high_f32(b.val[i]));
  }
}
NARROWS_INLINE Vec selectNegative(Vec x, Vec negative, Vec other) {
  return vbslq_f32(vcltzq_f32(x), negative, other);
}

#include "narrows/engine/executor/kernels/body.inc"

}  // namespace

const KernelTable& neonTable() {
  static constexpr KernelTable kTable = tableNamed("neon");
  return kTable;
}

}  // namespace narrows::executor
