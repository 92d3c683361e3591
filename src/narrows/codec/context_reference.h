#pragma once

#include <cstdint>
#include <vector>

#include "narrows/codec/context_tables.h"

namespace narrows {

/// Stages and guesses for maps whose high units are `maps`: planes that many others resemble (by
/// the squared correlation of their values) come first, and each later plane takes those of the
/// lower stages that explain it best together, weights by least squares. Empty when there are too
/// few planes, or none is like another.
std::vector<ContextPlane> chooseReferences(const ContextGrid& grid,
                                           const std::vector<const std::uint8_t*>& maps);

}  // namespace narrows
