#include "narrows/codec/context_loops.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace narrows::context {
namespace {

/// Units, and bytes, that pay for a lane: its state costs three bytes beyond its information.
constexpr std::size_t kUnitsPerLane = 1024;
constexpr std::size_t kBytesPerLane = 128;

const std::uint16_t* decodeRows(RowsToDecode& rows, States& states, const std::uint16_t* next) {
  for (std::size_t j = 0; j < rows.columns; ++j) {
    for (std::size_t l = 0; l < rows.lanes; ++l) {
      LaneRow& lane = rows.lane[l];
      const std::size_t left = rows.left_parts == nullptr ? lane.left : rows.left_parts[lane.left];
      const std::size_t context =
          lane.parts[j] + (lane.masks == nullptr ? left : left & lane.masks[j]);
      const std::size_t row = rows.row_of[context];
      const std::uint32_t unit = takeUnit(states[l], lane.ends + row * kUnitSymbols, next);
      lane.left = lane.units[j] = static_cast<std::uint8_t>(unit);
    }
  }
  return next;
}

std::uint16_t* encodeUnits(const UnitsToEncode& units, States& states, std::uint16_t* next) {
  const std::uint64_t* reciprocal = reciprocals().data();
  for (std::size_t k = units.steps; k-- > 0;) {
    for (std::size_t l = units.lanes; l-- > 0;) {
      putUnit(reciprocal, states[l], units.ranges[l][units.entries[l][k]], next);
    }
  }
  return next;
}

/// Sums in 16 bits each, of the even classes and of the odd ones.
void listEntries(const UnitsToList& task, std::uint16_t* entries, ClassSums& sums) {
  constexpr std::uint64_t kEven = 0x00FF00FF00FF00FF;
  constexpr std::uint64_t kOnes = 0x0001000100010001;
  const auto lengthsOf = [&](std::size_t k) {
    const unsigned entry = unsigned{task.first_entry[task.contexts[k]]} + task.units[k];
    entries[k] = static_cast<std::uint16_t>(entry);
    std::uint64_t lengths = 0;
    std::memcpy(&lengths, task.lengths + entry * kTables, sizeof(lengths));
    return lengths;
  };
  const auto held = [](std::uint64_t pairs) {
    const std::uint64_t over = pairs >> 8 & kOnes;
    return (pairs | ((over << 8) - over)) & kEven;
  };
  std::uint64_t even = 0;
  std::uint64_t odd = 0;
  for (std::size_t k = 0; k < task.count; k += 2) {
    const std::uint64_t first = lengthsOf(k);
    const std::uint64_t second = k + 1 < task.count ? lengthsOf(k + 1) : 0;
    even += held((first & kEven) + (second & kEven));
    odd += held((first >> 8 & kEven) + (second >> 8 & kEven));
  }
  for (std::size_t t = 0; t < kTables; t += 2) {
    sums[t] += static_cast<std::uint16_t>(even >> 8 * t);
    sums[t + 1] += static_cast<std::uint16_t>(odd >> 8 * t);
  }
}

void guessLevels(const GuessTask& task, std::uint8_t* levels) {
  for (std::size_t begin = 0; begin < task.count; begin += kGuessBlock) {
    std::array<std::int16_t, kGuessBlock> sums{};
    for (std::size_t t = 0; t < task.inputs; ++t) {
      const GuessInput& in = task.input[t];
      for (std::size_t i = 0; i < kGuessBlock; ++i) {
        sums[i] = static_cast<std::int16_t>(sums[i] + in.here_weight * in.here[begin + i] +
                                            in.ahead_weight * in.ahead[begin + i] +
                                            in.behind_weight * in.behind[begin + i]);
      }
    }
    std::array<std::int16_t, kGuessBlock> passed{};
    for (const std::int16_t threshold : task.thresholds) {
      for (std::size_t i = 0; i < kGuessBlock; ++i) {
        passed[i] = static_cast<std::int16_t>(passed[i] + (sums[i] > threshold ? 1 : 0));
      }
    }
    for (std::size_t i = 0; i < kGuessBlock; ++i) {
      levels[begin + i] = static_cast<std::uint8_t>(passed[i]);
    }
  }
}

}  // namespace

std::size_t laneCount(std::size_t live_planes, std::size_t units_per_plane) {
  const std::size_t wanted = live_planes * units_per_plane / kUnitsPerLane;
  return std::bit_floor(std::clamp<std::size_t>(std::min(wanted, live_planes), 1, kMaxLanes));
}

std::size_t laneCount(std::size_t live_planes, std::size_t units_per_plane, std::size_t bytes) {
  return std::bit_floor(std::min(laneCount(live_planes, units_per_plane),
                                 std::max<std::size_t>(bytes / kBytesPerLane, 1)));
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
  return {decodeRows, encodeUnits, listEntries, guessLevels};
}

}  // namespace narrows::context
