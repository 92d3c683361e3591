#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "narrows/codec/context_loops.h"

/// The loops of context_loops.h over rows and over units for the instruction set that
/// NARROWS_LANES, which the source that includes this defines, has as its attribute. `Step` has the
/// states of eight lanes: `take` takes one unit out of each, `put` puts one into each.
namespace narrows::context {
namespace {

/// Lanes below which the scalar loops are faster.
inline constexpr std::size_t kFewestLanes = 3;

/// How the unit to the left enters a context.
enum class Left { itself, by_table, masked };

/// The rows under which eight lanes have their next units; `kFirst`, in a row's first place.
template <Left kLeft, bool kFirst>
struct NextRows {
  const RowsToDecode& rows;
  const LaneRow* lane;
  std::size_t j;

  [[gnu::always_inline]] const std::uint16_t* ends(std::size_t l) const {
    const LaneRow& own = lane[l];
    const std::size_t left = kFirst ? own.left : own.units[j - 1];
    std::size_t left_part = kLeft == Left::itself ? left : rows.left_parts[left];
    if constexpr (kLeft == Left::masked) left_part &= own.masks[j];
    return own.ends + rows.row_of[own.parts[j] + left_part] * kUnitSymbols;
  }
};

template <class Step, Left kLeft, bool kFirst>
NARROWS_LANES inline typename Step::State takeUnits(const RowsToDecode& rows, const LaneRow* lane,
                                                    std::size_t j,
                                                    const typename Step::State& state,
                                                    unsigned active, const std::uint16_t*& next) {
  std::uint8_t twice[kEight];
  const typename Step::State after =
      Step::take(NextRows<kLeft, kFirst>{rows, lane, j}, state, active, twice, next);
  for (std::size_t l = 0; l < kEight; ++l) {
    lane[l].units[j] = static_cast<std::uint8_t>(twice[l] >> 1);
  }
  return after;
}

template <class Step, Left kLeft>
NARROWS_LANES const std::uint16_t* decodeRowsBy(RowsToDecode& rows, States& states,
                                                const std::uint16_t* next) {
  // Lanes without a plane repeat the first one's steps into a place that nobody reads.
  std::vector<std::uint8_t>& scratch = rows.scratch;
  scratch.resize(rows.columns);
  const std::size_t used = rows.lanes <= kEight ? kEight : kMaxLanes;
  for (std::size_t l = rows.lanes; l < used; ++l) {
    rows.lane[l] = rows.lane[0];
    rows.lane[l].units = scratch.data();
  }
  const unsigned active = (1U << rows.lanes) - 1;
  States after = states;
  typename Step::State first = Step::load(after.data());
  typename Step::State second = Step::load(after.data() + kEight);
  const LaneRow* lane = rows.lane.data();
  const unsigned upper = active >> kEight;
  const std::size_t columns = rows.columns;
  if (used == kEight) {
    first = takeUnits<Step, kLeft, true>(rows, lane, 0, first, active, next);
    for (std::size_t j = 1; j < columns; ++j) {
      first = takeUnits<Step, kLeft, false>(rows, lane, j, first, active, next);
    }
  } else {
    first = takeUnits<Step, kLeft, true>(rows, lane, 0, first, 0xFF, next);
    second = takeUnits<Step, kLeft, true>(rows, lane + kEight, 0, second, upper, next);
    for (std::size_t j = 1; j < columns; ++j) {
      first = takeUnits<Step, kLeft, false>(rows, lane, j, first, 0xFF, next);
      second = takeUnits<Step, kLeft, false>(rows, lane + kEight, j, second, upper, next);
    }
  }
  Step::store(first, after.data());
  Step::store(second, after.data() + kEight);
  for (std::size_t l = 0; l < rows.lanes; ++l) states[l] = after[l];
  return next;
}

template <class Step>
NARROWS_LANES const std::uint16_t* decodeRows(RowsToDecode& rows, States& states,
                                              const std::uint16_t* next) {
  if (rows.lanes < kFewestLanes || rows.columns == 0)
    return scalarLoops().decode(rows, states, next);
  if (rows.lane[0].masks != nullptr) return decodeRowsBy<Step, Left::masked>(rows, states, next);
  return rows.left_parts == nullptr ? decodeRowsBy<Step, Left::itself>(rows, states, next)
                                    : decodeRowsBy<Step, Left::by_table>(rows, states, next);
}

template <class Step>
NARROWS_LANES std::uint16_t* encodeUnits(const UnitsToEncode& units, States& states,
                                         std::uint16_t* next) {
  if (units.lanes < kFewestLanes) return scalarLoops().encode(units, states, next);
  const unsigned active = (1U << units.lanes) - 1;
  States after = states;
  typename Step::State first = Step::load(after.data());
  typename Step::State second = Step::load(after.data() + kEight);
  RangeBlock block(units);
  for (std::size_t end = units.steps; end > 0;) {
    const std::size_t count = std::min(end, RangeBlock::kSteps);
    end -= count;
    block.load(end, count);
    for (std::size_t k = count; k-- > 0;) {
      const Range* step = block.step(k);
      if (units.lanes > kEight) second = Step::put(second, step + kEight, active >> kEight, next);
      first = Step::put(first, step, active & 0xFF, next);
    }
  }
  Step::store(first, after.data());
  Step::store(second, after.data() + kEight);
  for (std::size_t l = 0; l < units.lanes; ++l) states[l] = after[l];
  return next;
}

}  // namespace
}  // namespace narrows::context
