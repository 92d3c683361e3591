#include "narrows/engine/executor/parallel.h"

#include <omp.h>

namespace narrows::executor {

void runParts(std::size_t count, const Parts& parts) {
  const int threads = static_cast<int>(count);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int part = 0; part < threads; ++part) parts.run(static_cast<std::size_t>(part));
}

TeamSize::TeamSize(std::size_t threads) : before_(omp_get_max_threads()) {
  omp_set_num_threads(static_cast<int>(threads));
}

TeamSize::~TeamSize() {
  omp_set_num_threads(before_);
}

}  // namespace narrows::executor
