#pragma once

#include <memory>

#include "narrows/base/result.h"
#include "narrows/codec/context_tables.h"
#include "narrows/codec/lossless.h"

namespace narrows {

/// How the innermost loop finds a unit in its row. All give the same maps and codes.
enum class UnitSearch {
  /// One comparison after the other: the oracle.
  scalar,
  /// Sixteen comparisons at once (SSE2, part of x86-64), the scalar one where there is none.
  vector,
};

/// The coder for quantized maps: static contexts from the neighbouring units, range asymmetric
/// numeral systems (Duda, 2013) over 16 bits at a time, several planes side by side.
/// docs/feature-frame.md has the format.
std::unique_ptr<LosslessCoder> makeContextCoder(const SymbolLayout& layout,
                                                const ContextTables& tables,
                                                UnitSearch search = UnitSearch::vector);

}  // namespace narrows
