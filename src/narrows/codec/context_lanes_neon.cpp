#include "narrows/codec/context_lanes.h"

#if defined(__aarch64__)
#include "narrows/codec/context_neon.h"
#define NARROWS_LANES
#include "narrows/codec/context_lanes_loops.h"
#endif

namespace narrows::context {

DecodeGroup neonDecodeGroup() {
#if defined(__aarch64__)
  return decodeGroup<NeonStep>;
#else
  return nullptr;
#endif
}

DecodeGroup fastestDecodeGroup() {
  return hasNeon() ? neonDecodeGroup() : avx512DecodeGroup();
}

}  // namespace narrows::context
