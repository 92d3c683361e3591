#pragma once

#include <memory>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/codec/context_tables.h"
#include "narrows/codec/lossless.h"

namespace narrows {

/// Which inner loops a context coder uses. All give the same maps and codes; where the processor
/// lacks the instructions, the next lower ones are taken.
enum class UnitSearch {
  /// One unit after the other: the oracle.
  scalar,
  avx2,
  avx512,
  neon,
  /// The fastest that this processor has.
  vector,
};

/// Those whose instructions this processor has, the scalar one first; without `vector`.
std::vector<UnitSearch> unitSearches();

/// The coder for quantized maps: static contexts from the neighbouring units, range asymmetric
/// numeral systems (Duda, 2013) over 16 bits at a time, several planes side by side.
/// docs/feature-frame.md has the format.
std::unique_ptr<LosslessCoder> makeContextCoder(const SymbolLayout& layout,
                                                const ContextTables& tables,
                                                UnitSearch search = UnitSearch::vector);

}  // namespace narrows
