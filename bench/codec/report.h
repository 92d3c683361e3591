#pragma once

#include <string>
#include <vector>

#include "bench/codec/contest.h"

namespace narrows::bench {

/// Heading of the table that `tableRows` continues.
std::string tableHeading();
/// One line for each coder of a case: bytes a map, ratios, MB/s of packed data.
std::string tableRows(const CaseFigures& figures);
/// The same as JSON lines.
std::string jsonRows(const CaseFigures& figures);

/// Means over the cases for each coder: geometric of ratios, median of speeds; 1 to 4 bits.
std::string summary(const std::vector<CaseFigures>& cases);

/// The figures of `scripts/figures codec`, one JSON line each; those that the cases cannot tell
/// (no map of 8 bits, say) are left out.
std::string figureLines(const std::vector<CaseFigures>& cases);

}  // namespace narrows::bench
