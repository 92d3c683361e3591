#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/planner/sliced_layer.h"

/// The communication problem of DeeperThings (Stahl et al., IJPP 2021): how to slice the weights of
/// each layer over N equal devices so that the fewest elements move.
namespace narrows {

enum class Slicing : std::uint8_t {
  filters,       // LOP: M (N-1) + K (N-1) / N; the first term falls away behind a kept LOP
  channels,      // LIP: M (N-1) / N + K (N-1)
  fused_first,   // M (N-1), as above
  fused_second,  // K (N-1)
};

struct SlicingPlan {
  std::vector<Slicing> layers;
  /// A LOP layer whose output goes to all devices, K (N-1), because the next one is LOP or fused:
  /// entry l for layer l.
  std::vector<bool> kept;
  /// Elements that move for each frame.
  double elements = 0;
};

/// Fused layers come in pairs (the second `follows` the first), and an output is kept for a layer
/// that follows. Exact, by a dynamic programme over layers and the last choice.
SlicingPlan sliceByPath(std::span<const SlicedLayer> layers, std::int64_t devices);
/// All layers LOP, kept where that is allowed.
SlicingPlan sliceFiltersOnly(std::span<const SlicedLayer> layers, std::int64_t devices);
/// The same problem as the authors' integer programme; fails when the solver finds no proof of the
/// optimum within `limit`.
Result<SlicingPlan> sliceByProgram(std::span<const SlicedLayer> layers, std::int64_t devices,
                                   Seconds limit);

/// The elements that move under given choices; fails when a pair is broken or a kept output has no
/// reader.
Result<double> elementsMoved(std::span<const SlicedLayer> layers, std::int64_t devices,
                             const SlicingPlan& plan);

/// "LOP", "LIP", "FUSE1", "FUSE2".
std::string_view toString(Slicing slicing);

}  // namespace narrows
