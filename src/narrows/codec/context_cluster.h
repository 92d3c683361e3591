#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "narrows/codec/context_grid.h"

namespace narrows {

using UnitWeights = std::array<float, kUnitSymbols>;

/// Rows for contexts: `weights[c]` says how often each unit was seen under context c (with whatever
/// is added for what was not seen). Contexts are drawn together into at most `max_rows` rows so
/// that the code length with one distribution a row is small: Lloyd's algorithm under relative
/// entropy (context quantization of minimum conditional entropy, Wu 1999, Forchhammer et al. 2004).
/// Contexts with `seen` false take the row that suits them best but do not shape it.
std::vector<std::uint8_t> clusterContexts(const std::vector<UnitWeights>& weights,
                                          const std::vector<bool>& seen, std::size_t max_rows);

}  // namespace narrows
