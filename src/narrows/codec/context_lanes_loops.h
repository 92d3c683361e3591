#pragma once

#include <algorithm>
#include <cstring>

#include "narrows/codec/context_lanes.h"
#include "narrows/codec/context_neighbours.h"

/// decodeGroup() for the instruction set that NARROWS_LANES, which the source that includes this
/// defines, has as its attribute. `Step` has the states of eight lanes: `take` takes one unit out
/// of each.
namespace narrows::context {
namespace {

/// Units of a lane that are moved at once: one vector of every instruction set.
inline constexpr std::size_t kBlock = 16;
using Block [[gnu::vector_size(kBlock)]] = std::uint8_t;

/// Shuffles the bytes of all vectors like two halves of a pack of cards: rotates the bits of their
/// places.
template <std::size_t kCount>
NARROWS_LANES inline void riffle(Block (&v)[kCount]) {
  Block out[kCount];
  for (std::size_t i = 0; i < kCount / 2; ++i) {
    const Block a = v[i];
    const Block b = v[i + kCount / 2];
    out[2 * i] =
        __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    out[2 * i + 1] =
        __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  }
  for (std::size_t i = 0; i < kCount; ++i) v[i] = out[i];
}

/// From planes of `count` bytes, read in whole blocks, to bytes side by side by lane.
template <std::size_t kLanes>
NARROWS_LANES void interleave(const std::array<const std::uint8_t*, kMaxLanes>& planes,
                              std::size_t count, std::uint8_t* out) {
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    Block v[kLanes];
    for (std::size_t l = 0; l < kLanes; ++l) {
      std::memcpy(&v[l], planes[l] + begin, kBlock);
    }
    riffle(v);
    riffle(v);
    riffle(v);
    if constexpr (kLanes == kMaxLanes) riffle(v);
    for (std::size_t i = 0; i < kLanes; ++i) {
      std::memcpy(out + begin * kLanes + i * kBlock, &v[i], kBlock);
    }
  }
}

/// And back, to the last byte and no further; `in` is read in whole blocks.
template <std::size_t kLanes>
NARROWS_LANES void separate(const std::uint8_t* in, std::size_t count, std::size_t lanes,
                            const std::array<std::uint8_t*, kMaxLanes>& planes) {
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    Block v[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i) {
      std::memcpy(&v[i], in + begin * kLanes + i * kBlock, kBlock);
    }
    riffle(v);
    riffle(v);
    riffle(v);
    riffle(v);
    if (begin + kBlock <= count) {
      for (std::size_t l = 0; l < lanes; ++l) std::memcpy(planes[l] + begin, &v[l], kBlock);
    } else {
      for (std::size_t l = 0; l < lanes; ++l) {
        std::memcpy(planes[l] + begin, &v[l], count - begin);
      }
    }
  }
}

/// What a group's loops need at hand.
template <std::size_t kLanes>
struct Lanes {
  std::array<const std::uint16_t*, kLanes> ends{};
  /// What a level of the guess adds; 0 in lanes without one.
  std::array<std::uint16_t, kLanes> guess_step{};
  /// What the unit to the left adds to a context, by twice that unit.
  std::array<std::uint8_t, 2 * kUnitSymbols> left_part{};
};

/// The rows under which eight lanes have their next units.
template <int Bits, std::size_t kLanes>
struct NextRows {
  const Lanes<kLanes>& lanes;
  std::size_t first_lane;
  const std::uint8_t* row_of;
  const std::uint16_t* parts;
  /// Twice the units to the left.
  const std::uint8_t* left;

  [[gnu::always_inline]] const std::uint16_t* ends(std::size_t l) const {
    const std::size_t twice = left[l];
    const std::size_t left_part = Bits == 1   ? twice >> 2
                                  : Bits == 2 ? std::size_t{lanes.left_part[twice]}
                                              : twice >> 1;
    return lanes.ends[first_lane + l] + row_of[parts[l] + left_part] * kUnitSymbols;
  }
};

/// What the guess adds to the parts of a row.
template <std::size_t kLanes>
NARROWS_LANES inline void addGuesses(const Lanes<kLanes>& lanes, const std::uint8_t* guess,
                                     std::size_t columns, std::uint16_t* parts) {
  for (std::size_t j = 0; j < columns; ++j) {
    for (std::size_t l = 0; l < kLanes; ++l) {
      const std::size_t k = j * kLanes + l;
      parts[k] = static_cast<std::uint16_t>(parts[k] + lanes.guess_step[l] * (1U + guess[k]));
    }
  }
}

/// Parts of a unit in all lanes from the units above left, above and above right.
template <int Bits, std::size_t kLanes>
NARROWS_LANES inline void partsAt(const std::uint8_t* a, const std::uint8_t* b,
                                  const std::uint8_t* c, std::uint16_t* parts) {
  std::uint8_t index[kLanes];
  for (std::size_t l = 0; l < kLanes; ++l) index[l] = aboveOf<Bits>(a[l], b[l], c[l]);
  for (std::size_t l = 0; l < kLanes; ++l) {
    parts[l] = static_cast<std::uint16_t>(index[l] << kAboveShift<Bits>);
  }
}

/// Parts of a row but the first, without the guess.
template <int Bits, std::size_t kLanes>
NARROWS_LANES inline void partsOfRow(const PartNumbers& numbers, const std::uint8_t* above,
                                     std::size_t columns, std::uint16_t* parts) {
  const std::uint8_t* const last = above + (columns - 1) * kLanes;
  std::uint8_t before[kLanes];
  std::uint8_t behind[kLanes];
  for (std::size_t l = 0; l < kLanes; ++l) before[l] = fullOfFirst<Bits>(above[l]);
  for (std::size_t l = 0; l < kLanes; ++l) behind[l] = fullOfLast<Bits>(last[l]);
  if (columns == 1) {
    partsAt<Bits, kLanes>(before, above, behind, parts);
  } else {
    partsAt<Bits, kLanes>(before, above, above + kLanes, parts);
    for (std::size_t j = 1; j + 1 < columns; ++j) {
      const std::uint8_t* b = above + j * kLanes;
      partsAt<Bits, kLanes>(b - kLanes, b, b + kLanes, parts + j * kLanes);
    }
    partsAt<Bits, kLanes>(last - kLanes, last, behind, parts + (columns - 1) * kLanes);
  }
  if (!numbers.fill) return;
  for (std::size_t l = 0; l < kLanes; ++l) {
    parts[(columns - 1) * kLanes + l] =
        static_cast<std::uint16_t>((numbers.fill_above + last[l]) << kAboveShift<Bits>);
  }
}

template <class Step, int Bits, std::size_t kLanes>
NARROWS_LANES const std::uint16_t* decodePlanes(GroupToDecode& group, States& states,
                                                const std::uint16_t* next,
                                                const std::uint16_t* end) {
  const std::size_t columns = group.columns;
  const std::size_t count = columns * group.height;
  const std::size_t room = (count + kBlock - 1) / kBlock * kBlock * kLanes;
  const std::size_t row_length = columns * kLanes;
  group.units_by_lane.resize(room);
  group.parts.resize(row_length);
  group.row.resize(row_length + kLanes + 2 * kBlock);

  Lanes<kLanes> lanes;
  const std::uint8_t* any_guess = nullptr;
  for (std::size_t l = 0; l < kLanes; ++l) {
    // Lanes without a plane repeat the first one's steps into a place that nobody reads.
    const bool used = l < group.lanes;
    lanes.ends[l] = group.ends[used ? l : 0];
    if (!used || group.guess[l] == nullptr) continue;
    any_guess = group.guess[l];
    lanes.guess_step[l] = group.numbers.guess_step;
  }
  for (unsigned unit = 0; unit < kUnitSymbols; ++unit) {
    lanes.left_part[2 * unit] = leftOf<Bits>(static_cast<std::uint8_t>(unit));
  }
  if (any_guess != nullptr) {
    std::array<const std::uint8_t*, kMaxLanes> guesses{};
    for (std::size_t l = 0; l < kLanes; ++l) {
      guesses[l] = lanes.guess_step[l] != 0 ? group.guess[l] : any_guess;
    }
    group.guess_by_lane.resize(room);
    interleave<kLanes>(guesses, count, group.guess_by_lane.data());
  }

  const unsigned active = (1U << group.lanes) - 1;
  States after = states;
  typename Step::State first = Step::load(after.data());
  typename Step::State second = Step::load(after.data() + kEight);
  const std::uint8_t* const row_of = group.row_of;
  std::uint16_t* const parts = group.parts.data();
  // Twice the units of a row, behind that to the left of the first one.
  std::uint8_t* const row = group.row.data();
  for (std::size_t y = 0; y < group.height && next <= end; ++y) {
    std::uint8_t* const line = group.units_by_lane.data() + y * row_length;
    if (y == 0) {
      std::fill_n(row, kLanes, std::uint8_t{0});
      std::fill_n(parts, row_length, group.numbers.first_row);
      if (group.numbers.fill) {
        std::fill_n(parts + row_length - kLanes, kLanes, group.numbers.fill_first_row);
      }
    } else {
      const std::uint8_t* above = line - row_length;
      for (std::size_t l = 0; l < kLanes; ++l) {
        row[l] = static_cast<std::uint8_t>(2 * fullOfFirst<Bits>(above[l]));
      }
      partsOfRow<Bits, kLanes>(group.numbers, above, columns, parts);
    }
    if (any_guess != nullptr) {
      addGuesses(lanes, group.guess_by_lane.data() + y * row_length, columns, parts);
    }
    for (std::size_t k = 0; k < row_length; k += kLanes) {
      std::uint8_t* out = row + k + kLanes;
      const NextRows<Bits, kLanes> rows{lanes, 0, row_of, parts + k, row + k};
      first = Step::take(rows, first, active & 0xFF, out, next);
      if constexpr (kLanes > kEight) {
        const NextRows<Bits, kLanes> upper{lanes, kEight, row_of, parts + k + kEight,
                                           row + k + kEight};
        second = Step::take(upper, second, active >> kEight, out + kEight, next);
      }
    }
    for (std::size_t k = 0; k < row_length; ++k) {
      line[k] = static_cast<std::uint8_t>(row[k + kLanes] >> 1);
    }
  }
  Step::store(first, after.data());
  Step::store(second, after.data() + kEight);
  for (std::size_t l = 0; l < group.lanes; ++l) states[l] = after[l];
  separate<kLanes>(group.units_by_lane.data(), count, group.lanes, group.units);
  return next;
}

template <class Step, std::size_t kLanes>
NARROWS_LANES const std::uint16_t* decodeLanes(GroupToDecode& group, States& states,
                                               const std::uint16_t* next,
                                               const std::uint16_t* end) {
  switch (group.numbers.bits) {
    case 1:
      return decodePlanes<Step, 1, kLanes>(group, states, next, end);
    case 2:
      return decodePlanes<Step, 2, kLanes>(group, states, next, end);
    case 3:
      return decodePlanes<Step, 3, kLanes>(group, states, next, end);
    default:
      return decodePlanes<Step, 4, kLanes>(group, states, next, end);
  }
}

template <class Step>
NARROWS_LANES const std::uint16_t* decodeGroup(GroupToDecode& group, States& states,
                                               const std::uint16_t* next,
                                               const std::uint16_t* end) {
  return group.lanes <= kEight ? decodeLanes<Step, kEight>(group, states, next, end)
                               : decodeLanes<Step, kMaxLanes>(group, states, next, end);
}

}  // namespace
}  // namespace narrows::context
