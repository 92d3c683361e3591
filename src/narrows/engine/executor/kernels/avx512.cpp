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

#include "narrows/engine/executor/kernels/avx512.inc"

constexpr int kPixels = 6;
constexpr int kVectors = 4;
constexpr int kColumns = 8;  // pixels of a window row at once

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
