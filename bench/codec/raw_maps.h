#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "bench/codec/map_case.h"
#include "narrows/base/result.h"

namespace narrows::bench {

/// Files NAME_CxHxW_bB.u8 of a folder: maps of C planes of H rows of W symbols below 2^B, one
/// symbol a byte, one map after another. The first half of the maps is for calibration, the second
/// (the greater when they are odd) is measured, at most `most_measured` of them, evenly spread.
/// Fails on a folder without such files and names the file and what is wrong with it.
Status forEachRawMapFile(const std::filesystem::path& folder, std::size_t most_measured,
                         const std::function<Status(const MapCase&)>& use);

}  // namespace narrows::bench
