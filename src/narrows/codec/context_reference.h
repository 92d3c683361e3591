#pragma once

#include <cstdint>
#include <vector>

#include "narrows/codec/context_tables.h"

namespace narrows {

/// Stages and reference planes for maps whose high units are `maps`: planes that many others
/// resemble (by the squared correlation of their units) come first, and each later plane takes the
/// one of the lower stages that it resembles most. Empty when there are too few planes.
std::vector<ContextPlane> chooseReferences(const ContextGrid& grid,
                                           const std::vector<const std::uint8_t*>& maps);

}  // namespace narrows
