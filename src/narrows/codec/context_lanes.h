#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "narrows/codec/context_loops.h"
#include "narrows/codec/context_plane_loops.h"

/// Decoding of whole planes of up to four bits a value, one in each lane, whose units lie side by
/// side by lane meanwhile: neighbours of all lanes are one vector then, whatever the rows' length.
/// The rows' loops of context_loops.h are the oracle.
namespace narrows::context {

struct GroupToDecode {
  PartNumbers numbers;
  std::size_t columns = 0;
  std::size_t height = 0;
  const std::uint8_t* row_of = nullptr;
  /// At least kFewestGroupLanes.
  std::size_t lanes = 0;
  /// As in LaneRow.
  std::array<const std::uint16_t*, kMaxLanes> ends{};
  /// Guessed units, or null: planes that may be read kPlaneSlack further.
  std::array<const std::uint8_t*, kMaxLanes> guess{};
  /// Planes.
  std::array<std::uint8_t*, kMaxLanes> units{};

  /// Room for the loops.
  std::vector<std::uint8_t> units_by_lane = {};
  std::vector<std::uint8_t> guess_by_lane = {};
  std::vector<std::uint8_t> row = {};
  std::vector<std::uint16_t> parts = {};
};

/// Lanes below which rows one after the other are faster.
inline constexpr std::size_t kFewestGroupLanes = 3;

/// Gives the word after the last it took; stops after a row in which that lies behind `end`. A row
/// takes up to a word for each of its units.
using DecodeGroup = const std::uint16_t* (*)(GroupToDecode& group, States& states,
                                             const std::uint16_t* next, const std::uint16_t* end);

/// Null where the processor, asked at run time, lacks AVX2; where it lacks AVX-512 alone, that of
/// AVX2.
DecodeGroup avx2DecodeGroup();
DecodeGroup avx512DecodeGroup();
/// Null on all but 64-bit Arm.
DecodeGroup neonDecodeGroup();
/// That for the most that this processor has, or null.
DecodeGroup fastestDecodeGroup();

}  // namespace narrows::context
