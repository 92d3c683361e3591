#include "narrows/codec/context_loops.h"

#include <algorithm>
#include <bit>

namespace narrows::context {
namespace {

/// Units that pay for a lane: its state costs three bytes beyond its information.
constexpr std::size_t kUnitsPerLane = 1024;

const std::uint16_t* decodeRows(RowsToDecode& rows, States& states, const std::uint16_t* next) {
  for (std::size_t j = 0; j < rows.columns; ++j) {
    for (std::size_t l = 0; l < rows.lanes; ++l) {
      LaneRow& lane = rows.lane[l];
      const std::size_t context =
          static_cast<std::size_t>(lane.parts[j]) + (rows.left_parts[lane.left] & lane.masks[j]);
      const std::size_t row = rows.row_of[context];
      const std::uint32_t unit = takeUnit(states[l], lane.ends + row * kUnitSymbols, next);
      lane.left = lane.units[j] = static_cast<std::uint8_t>(unit);
    }
  }
  return next;
}

std::uint16_t* encodeUnits(const Range* ranges, std::size_t steps, std::size_t lanes,
                           States& states, std::uint16_t* next) {
  const std::uint64_t* reciprocal = reciprocals().data();
  for (std::size_t k = steps; k-- > 0;) {
    for (std::size_t l = lanes; l-- > 0;) {
      putUnit(reciprocal, states[l], ranges[k * lanes + l], next);
    }
  }
  return next;
}

}  // namespace

std::size_t laneCount(std::size_t live_planes, std::size_t units_per_plane) {
  const std::size_t wanted = live_planes * units_per_plane / kUnitsPerLane;
  return std::bit_floor(std::clamp<std::size_t>(std::min(wanted, live_planes), 1, kMaxLanes));
}

const std::vector<std::uint64_t>& reciprocals() {
  static const std::vector<std::uint64_t> kTable = [] {
    std::vector<std::uint64_t> table(kContextTotal + 1, 0);
    for (std::uint64_t f = 2; f <= kContextTotal; ++f) table[f] = ~std::uint64_t{0} / f + 1;
    return table;
  }();
  return kTable;
}

Loops scalarLoops() {
  return {decodeRows, encodeUnits};
}

}  // namespace narrows::context
