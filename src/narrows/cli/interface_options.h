#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/codec/params.h"
#include "narrows/eval/calibration.h"

namespace narrows {

/// "8", "1-8" or "1,2,4": widths in bits, each 1 to 8, ascending.
Result<std::vector<int>> parseBits(const std::string& text);

/// "NAME" or "NAME:LEVEL", such as "zstd:19"; level "max" is the coder's highest.
Result<CoderParams> parseCoder(const std::string& text);
/// The inverse of `parseCoder`.
std::string coderName(const CoderParams& coder);

/// Quantizers of all widths; two-level has one bit, none has none.
Result<std::vector<QuantizerSpec>> makeQuantizers(const std::string& kind, const std::string& bits,
                                                  const std::string& granularity);

}  // namespace narrows
