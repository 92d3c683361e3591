#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "narrows/codec/lossless.h"

namespace narrows::bench {

/// One symbol a byte, as the layout has them.
using SymbolMap = std::vector<std::uint8_t>;

/// Maps of one cut at one width.
struct MapCase {
  std::string name;
  /// Cases of one kind, such as one granularity of the quantizer; figures are told apart by it.
  std::string group;
  SymbolLayout layout;
  /// What tables are fitted to; never among those measured.
  std::vector<SymbolMap> calibration;
  std::vector<SymbolMap> measured;
};

}  // namespace narrows::bench
