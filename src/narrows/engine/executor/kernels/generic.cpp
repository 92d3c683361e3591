#include <cmath>

#include "narrows/engine/executor/kernels/table.h"

#define NARROWS_INLINE static inline __attribute__((always_inline))

namespace narrows::executor {
namespace {

constexpr int kLanes = 4;
constexpr int kPixels = 4;
constexpr int kVectors = 2;
constexpr int kColumns = 4;

struct Vec {
  float x[kLanes];
};
using Mask = std::int64_t;

template <class Function>
NARROWS_INLINE Vec map(Vec a, Vec b, Function f) {
  Vec y{};
  for (int i = 0; i < kLanes; ++i) y.x[i] = f(a.x[i], b.x[i]);
  return y;
}

NARROWS_INLINE Mask maskOf(std::int64_t count) {
  return count;
}
NARROWS_INLINE Vec load(const float* p) {
  Vec v{};
  for (int i = 0; i < kLanes; ++i) v.x[i] = p[i];
  return v;
}
NARROWS_INLINE Vec load(const float* p, Mask mask) {
  Vec v{};
  for (int i = 0; i < kLanes; ++i) v.x[i] = i < mask ? p[i] : 0.0F;
  return v;
}
NARROWS_INLINE void fetch(const float*) {}
NARROWS_INLINE void store(float* p, Vec v) {
  for (int i = 0; i < kLanes; ++i) p[i] = v.x[i];
}
NARROWS_INLINE void store(float* p, Vec v, Mask mask) {
  for (int i = 0; i < kLanes && i < mask; ++i) p[i] = v.x[i];
}
NARROWS_INLINE Vec splat(float x) {
  return {{x, x, x, x}};
}
NARROWS_INLINE Vec add(Vec a, Vec b) {
  return map(a, b, [](float p, float q) { return p + q; });
}
NARROWS_INLINE Vec sub(Vec a, Vec b) {
  return map(a, b, [](float p, float q) { return p - q; });
}
NARROWS_INLINE Vec mul(Vec a, Vec b) {
  return map(a, b, [](float p, float q) { return p * q; });
}
NARROWS_INLINE Vec div(Vec a, Vec b) {
  return map(a, b, [](float p, float q) { return p / q; });
}
NARROWS_INLINE Vec fma(Vec a, Vec b, Vec c) {
  return add(mul(a, b), c);
}
// The second operand when one is not a number.
NARROWS_INLINE Vec max(Vec a, Vec b) {
  return map(a, b, [](float p, float q) { return p > q ? p : q; });
}
NARROWS_INLINE Vec min(Vec a, Vec b) {
  return map(a, b, [](float p, float q) { return p < q ? p : q; });
}
NARROWS_INLINE Vec roundEven(Vec a) {
  return map(a, a, [](float p, float) { return std::nearbyint(p); });
}
// a * 2^n for a whole n.
NARROWS_INLINE Vec scale(Vec a, Vec n) {
  return map(a, n, [](float p, float q) { return std::ldexp(p, static_cast<int>(q)); });
}
// Element j of v[i] and element i of v[j] change places.
NARROWS_INLINE void transpose(Vec (&v)[kLanes]) {
  for (int i = 0; i < kLanes; ++i) {
    for (int j = i + 1; j < kLanes; ++j) {
      const float other = v[i].x[j];
      v[i].x[j] = v[j].x[i];
      v[j].x[i] = other;
    }
  }
}
NARROWS_INLINE Vec selectNegative(Vec x, Vec negative, Vec other) {
  Vec y{};
  for (int i = 0; i < kLanes; ++i) y.x[i] = x.x[i] < 0 ? negative.x[i] : other.x[i];
  return y;
}

#include "narrows/engine/executor/kernels/body.inc"

}  // namespace

const KernelTable& genericTable() {
  static constexpr KernelTable kTable = tableNamed("generic");
  return kTable;
}

}  // namespace narrows::executor
