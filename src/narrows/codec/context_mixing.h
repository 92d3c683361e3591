#pragma once

#include <memory>

#include "narrows/codec/context_tables.h"
#include "narrows/codec/lossless.h"

namespace narrows {

/// The context coder at maximum effort: the same tables, mixed bit by bit with adaptive models of
/// more neighbours and of a second reference plane. Some hundred times slower, in both directions.
/// Its codes have an odd number of bytes, those of `makeContextCoder` an even one.
std::unique_ptr<LosslessCoder> makeMixingCoder(const SymbolLayout& layout,
                                               const ContextTables& tables);

}  // namespace narrows
