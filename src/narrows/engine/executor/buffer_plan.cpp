#include "narrows/engine/executor/buffer_plan.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "narrows/tensor/tensor.h"

namespace narrows::executor {

ArenaPlan planBuffers(std::span<const Buffer> buffers, std::span<const Overwrite> overwrites) {
  std::vector<BufferLifetime> lifetimes;
  for (const Buffer& buffer : buffers) {
    const bool planned = buffer.kind == BufferKind::arena && buffer.used;
    lifetimes.push_back({buffer.first, buffer.last, planned ? buffer.bytes : 0});
  }
  std::vector<std::size_t> host(buffers.size());  // the first of the buffers in one place
  std::iota(host.begin(), host.end(), std::size_t{0});
  for (const Overwrite& overwrite : overwrites) {
    const std::size_t result = overwrite.result.index();
    BufferLifetime& place = lifetimes[host[overwrite.source.index()]];
    if (host[result] != result || place.last != overwrite.step ||
        lifetimes[result].first != overwrite.step || place.bytes != lifetimes[result].bytes) {
      continue;
    }
    host[result] = host[overwrite.source.index()];
    place.last = lifetimes[result].last;
    lifetimes[result].bytes = 0;
  }
  ArenaPlan plan = planArena(lifetimes, Tensor::kAlignment);
  for (std::size_t i = 0; i < host.size(); ++i) plan.offsets[i] = plan.offsets[host[i]];
  return plan;
}

}  // namespace narrows::executor
