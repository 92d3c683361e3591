#include "narrows/codec/context_lanes.h"

#if defined(__x86_64__)
#include "narrows/codec/context_avx2.h"
#define NARROWS_LANES NARROWS_AVX2
#include "narrows/codec/context_lanes_loops.h"
#endif

namespace narrows::context {

DecodeGroup avx2DecodeGroup() {
#if defined(__x86_64__)
  if (hasAvx2()) return decodeGroup<Avx2Step>;
#endif
  return nullptr;
}

}  // namespace narrows::context
