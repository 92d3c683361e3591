#pragma once

#include <memory>

#include "narrows/codec/lossless.h"

namespace narrows::bench {

/// The yardstick of compression: an adaptive binary range coder that starts each map without any
/// knowledge. A symbol is coded bit by bit from the highest; each bit's probability is chosen by
/// the bits before it in the symbol and by the neighbours to the left, above, above left and above
/// right (from 4 bits on: left and above; from 5 bits on the top four bits of them). Neighbours
/// outside the plane are 0.
std::unique_ptr<LosslessCoder> makeAdaptiveCoder(const SymbolLayout& layout);

}  // namespace narrows::bench
