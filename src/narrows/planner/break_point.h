#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/planner/sliced_layer.h"

/// The memory problem of DeeperThings (Stahl et al., IJPP 2021): up to which layer maps are tiled
/// over N equal devices, and from which weights are sliced. Tiles share the maps and copy the
/// weights, slices copy the maps and share the weights.
namespace narrows {

struct BreakPoint {
  /// The first layer whose weights are sliced; the count of layers when none is.
  std::size_t layer = 0;
  /// Elements a device holds: the largest of its maps, M + K, and all its weights.
  double elements = 0;
};

/// What a device holds when weights are sliced from layer `layer` on.
double elementsAt(std::span<const SlicedLayer> layers, std::int64_t devices, std::size_t layer);
/// The best place, the later one of equal ones. Exact: each is tried.
BreakPoint bestBreakPoint(std::span<const SlicedLayer> layers, std::int64_t devices);
/// The authors' integer programme; fails without a proof of the optimum within `limit`.
Result<BreakPoint> breakPointByProgram(std::span<const SlicedLayer> layers, std::int64_t devices,
                                       Seconds limit);

}  // namespace narrows
