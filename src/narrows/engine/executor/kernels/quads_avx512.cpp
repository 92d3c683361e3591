#include <immintrin.h>

#include "narrows/engine/executor/kernels/quads.h"

#if defined(__clang__)
#pragma clang attribute push(                                                          \
    __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx512vnni,avx2,fma"))), \
    apply_to = function)
#else
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx512vnni,avx2,fma,prefer-vector-width=512")
#endif

#define NARROWS_INLINE static inline __attribute__((always_inline))

namespace narrows::executor {
namespace {

#include "narrows/engine/executor/kernels/avx512.inc"
#include "narrows/engine/executor/kernels/functions.inc"

constexpr int kVectors = 4;
constexpr int kQuad = 4;  // bytes

// As many pixels as leave registers for the weights.
template <int kWide>
constexpr int kPixels = kWide < 3    ? 12
                        : kWide == 3 ? 8
                                     : 6;

NARROWS_INLINE __m512i splatQuad(const std::uint8_t* p) {
  int quad;
  __builtin_memcpy(&quad, p, kQuad);
  return _mm512_set1_epi32(quad);
}

// The low bytes of whole numbers.
NARROWS_INLINE __m128i bytesOf(Vec x) {
  return _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x));
}

NARROWS_INLINE Vec inRange(Vec x, const ByteRange& range) {
  return clip(fma(x, splat(range.factor), splat(range.zero)), splat(range.low), splat(range.high));
}

// Functions that take many instructions exist once.
__attribute__((noinline)) void activateInPlace(const Activation& activation, float* x,
                                               std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += kLanes) store(x + i, activated(activation, load(x + i)));
}

template <int kRows, int kWide>
struct Numbers {
  Vec v[kRows][kWide];
};

template <int kRows, int kWide>
NARROWS_INLINE void activateNumbers(Numbers<kRows, kWide>& x, const Activation& activation) {
  if (activation.kind == ActivationKind::none) return;
  if (activation.kind == ActivationKind::clip || activation.kind == ActivationKind::leaky) {
    const bool leaky = activation.kind == ActivationKind::leaky;
    const Vec alpha = splat(activation.alpha);
    const Vec beta = splat(activation.beta);
    NARROWS_UNROLL
    for (int i = 0; i < kRows; ++i) {
      NARROWS_UNROLL
      for (int j = 0; j < kWide; ++j) {
        const Vec value = x.v[i][j];
        x.v[i][j] =
            leaky ? selectNegative(value, mul(alpha, value), value) : clip(value, alpha, beta);
      }
    }
    return;
  }
  alignas(64) float spilled[kRows * kWide * kLanes];
  NARROWS_UNROLL
  for (int i = 0; i < kRows; ++i) {
    NARROWS_UNROLL
    for (int j = 0; j < kWide; ++j) store(spilled + (i * kWide + j) * kLanes, x.v[i][j]);
  }
  activateInPlace(activation, spilled, kRows * kWide * kLanes);
  NARROWS_UNROLL
  for (int i = 0; i < kRows; ++i) {
    NARROWS_UNROLL
    for (int j = 0; j < kWide; ++j) x.v[i][j] = load(spilled + (i * kWide + j) * kLanes);
  }
}

// A pitch that the compiler knows becomes part of the instructions; 0: run.input_pitch.
template <int kRows, int kWide, int kPitch>
NARROWS_INLINE void multiplyBlock(const QuadRun& run, std::int64_t first, const QuadPanel& panel,
                                  const Activation& activation, const ByteRange& range) {
  const std::int64_t pitch = kPitch > 0 ? kPitch : run.input_pitch;
  const std::uint8_t* corner = run.input + first * pitch;
  __m512i sums[kRows][kWide];
  NARROWS_UNROLL
  for (int i = 0; i < kRows; ++i) {
    NARROWS_UNROLL
    for (int j = 0; j < kWide; ++j) sums[i][j] = _mm512_setzero_si512();
  }
  const std::int8_t* weights = panel.weights;
  for (std::int64_t k = 0; k < run.depth; ++k) {
    __m512i w[kWide];
    NARROWS_UNROLL
    for (int j = 0; j < kWide; ++j)
      w[j] = _mm512_loadu_si512(weights + (k * kWide + j) * (kLanes * kQuad));
    const std::uint8_t* x = corner + run.offsets[k];
    NARROWS_UNROLL
    for (int i = 0; i < kRows; ++i) {
      const __m512i quad = splatQuad(x + i * pitch);
      NARROWS_UNROLL
      for (int j = 0; j < kWide; ++j) sums[i][j] = _mm512_dpbusd_epi32(sums[i][j], quad, w[j]);
    }
  }
  Numbers<kRows, kWide> numbers;  // NOLINT(*-member-init): the loops fill it.
  NARROWS_UNROLL
  for (int j = 0; j < kWide; ++j) {
    const Vec factor = load(panel.factors + j * kLanes);
    const Vec shift = load(panel.shifts + j * kLanes);
    NARROWS_UNROLL
    for (int i = 0; i < kRows; ++i)
      numbers.v[i][j] = fma(_mm512_cvtepi32_ps(sums[i][j]), factor, shift);
  }
  activateNumbers<kRows, kWide>(numbers, activation);
  std::uint8_t* y = run.output + first * run.output_pitch;
  const Mask last = maskOf(panel.channels - (kWide - 1) * kLanes);
  NARROWS_UNROLL
  for (int i = 0; i < kRows; ++i) {
    NARROWS_UNROLL
    for (int j = 0; j < kWide; ++j) {
      _mm_mask_storeu_epi8(y + i * run.output_pitch + j * kLanes,
                           j + 1 < kWide ? static_cast<Mask>(0xFFFF) : last,
                           bytesOf(inRange(numbers.v[i][j], range)));
    }
  }
}

template <int kWide, int kPitch>
void multiplyPitch(const QuadRun& run, const QuadPanel& panel, const Activation& activation,
                   const ByteRange& range) {
  constexpr int kMost = kPixels<kWide>;
  std::int64_t i = 0;
  for (; i + kMost <= run.count; i += kMost)
    multiplyBlock<kMost, kWide, kPitch>(run, i, panel, activation, range);
  for (; i + 4 <= run.count; i += 4)
    multiplyBlock<4, kWide, kPitch>(run, i, panel, activation, range);
  for (; i < run.count; ++i) multiplyBlock<1, kWide, kPitch>(run, i, panel, activation, range);
}

template <int kWide>
void multiplyWide(const QuadRun& run, const QuadPanel& panel, const Activation& activation,
                  const ByteRange& range) {
  if (run.input_pitch == kQuad) {
    multiplyPitch<kWide, kQuad>(run, panel, activation, range);
  } else if (run.input_pitch == 2 * kQuad) {
    multiplyPitch<kWide, 2 * kQuad>(run, panel, activation, range);
  } else {
    multiplyPitch<kWide, 0>(run, panel, activation, range);
  }
}

void multiply(const QuadRun& run, const QuadPanel& panel, const Activation& activation,
              const ByteRange& range) {
  if (panel.vectors == 1) {
    multiplyWide<1>(run, panel, activation, range);
  } else if (panel.vectors == 2) {
    multiplyWide<2>(run, panel, activation, range);
  } else if (panel.vectors == 3) {
    multiplyWide<3>(run, panel, activation, range);
  } else {
    multiplyWide<kVectors>(run, panel, activation, range);
  }
}

void gather(const float* planes, std::int64_t pitch, std::int64_t channels, const ByteRange& range,
            std::uint8_t* quads, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += kLanes) {
    const Mask mask = maskOf(count - i);
    __m512i all = _mm512_setzero_si512();
    for (std::int64_t c = 0; c < channels; ++c) {
      const Vec x = inRange(load(planes + c * pitch + i, mask), range);
      const __m512i byte = _mm512_and_si512(_mm512_cvtps_epi32(x), _mm512_set1_epi32(0xFF));
      all =
          _mm512_or_si512(all, _mm512_sll_epi32(byte, _mm_cvtsi32_si128(static_cast<int>(8 * c))));
    }
    _mm512_mask_storeu_epi32(quads + i * kQuad, mask, all);
  }
}

}  // namespace

const QuadKernels& avx512Quads() {
  static constexpr QuadKernels kQuads{kLanes, kVectors, multiply, gather};
  return kQuads;
}

}  // namespace narrows::executor

#if defined(__clang__)
#pragma clang attribute pop
#endif
