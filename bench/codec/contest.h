#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/codec/map_case.h"
#include "narrows/base/result.h"

namespace narrows::bench {

/// What a coder is to the figures.
enum class Role {
  /// Of the product, with tables fitted to the calibration maps.
  ours,
  /// The product's slower level.
  ours_max,
  /// The product's scalar twin: gives the same bytes.
  ours_scalar,
  /// The product with the built-in tables.
  ours_uncalibrated,
  /// General compressors: of these the best counts.
  general,
  /// LZMA at preset 9e as it is, one of the general ones.
  lzma,
  /// The same with a dictionary no longer than the map; general too.
  lzma_small,
  /// The adaptive yardstick.
  adaptive,
  /// For the table only.
  other,
};

/// One coder on the measured maps of one case.
struct CoderFigures {
  std::string name;
  Role role = Role::other;
  /// Bytes of each map's code; the packed map's when that is no longer.
  std::vector<std::size_t> bytes;
  /// Seconds of each map in each turn of the coder, processor time of the thread.
  std::vector<std::vector<double>> encode_seconds;
  std::vector<std::vector<double>> decode_seconds;
};

struct CaseFigures {
  std::string name;
  std::string group;
  SymbolLayout layout;
  std::size_t calibration_maps = 0;
  std::size_t maps = 0;
  std::vector<CoderFigures> coders;
  /// Serialized tables, and the time to fit them.
  std::size_t table_bytes = 0;
  double fit_seconds = 0;
  /// Bytes that a frame has beyond its code; the most.
  std::size_t framing_bytes = 0;
  /// Bytes of all codes of our coder, as RateTable expects them and as they are.
  double expected_bytes = 0;
  double coded_bytes = 0;

  const CoderFigures* find(Role role) const;
};

struct ContestOptions {
  /// Rounds in which the coders take turns; coders that need more than some milliseconds a map
  /// sit out all but the first, in which the others take a turn after each of them.
  std::size_t rounds = 3;
  /// Leave the general compressors out, which take most of the time.
  bool only_ours = false;
};

/// Codes every measured map by every coder, each map alone, and decodes it again; a map that comes
/// back other than it was is an error.
Result<CaseFigures> runContest(const MapCase& maps, const ContestOptions& options);

}  // namespace narrows::bench
