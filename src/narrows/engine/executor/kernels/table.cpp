#include "narrows/engine/executor/kernels/table.h"

#include <array>

#include "narrows/engine/executor/kernels/quads.h"

namespace narrows::executor {

std::span<const KernelTable* const> kernelTables() {
#if defined(__x86_64__)
  static const std::array<const KernelTable*, 3> kAll{&avx512Table(), &avx2Table(),
                                                      &genericTable()};
  static const bool kAvx512 =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
  static const bool kAvx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return std::span(kAll).subspan(kAvx512 && kAvx2 ? 0 : kAvx2 ? 1 : 2);
#elif defined(__aarch64__)
  // Every such processor has it.
  static const std::array<const KernelTable*, 2> kAll{&neonTable(), &genericTable()};
  return kAll;
#else
  static const std::array<const KernelTable*, 1> kAll{&genericTable()};
  return kAll;
#endif
}

const QuadKernels* quadKernels() {
#if defined(__x86_64__)
  static const bool kVnni =
      kernelTables()[0] == &avx512Table() && __builtin_cpu_supports("avx512vnni");
  return kVnni ? &avx512Quads() : nullptr;
#else
  return nullptr;
#endif
}

}  // namespace narrows::executor
