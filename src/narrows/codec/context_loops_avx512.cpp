#include "narrows/codec/context_loops.h"

namespace narrows::context {
bool hasAvx512() {
  return false;
}
Loops avx512Loops() {
  return avx2Loops();
}
}  // namespace narrows::context
