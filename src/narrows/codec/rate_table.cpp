#include "narrows/codec/rate_table.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "narrows/codec/context_guess.h"
#include "narrows/codec/context_loops.h"
#include "narrows/codec/frame.h"

namespace narrows {
namespace {

/// A state starts at 2^16 and gives a word for every 16 bits of information that go into it; at the
/// end it is sent in 32 bits.
double bitsOfState(double information) {
  return 32 + 16 * std::floor(information / 16);
}

float lengthOf(std::uint32_t frequency) {
  return frequency == 0 ? RateTable::kNever
                        : static_cast<float>(kContextPrecision - std::log2(frequency));
}

void appendLengths(const ContextTables::Row& row, std::vector<float>& lengths) {
  std::uint32_t start = 0;
  for (const std::uint16_t end : row) {
    lengths.push_back(lengthOf(end - start));
    start = end;
  }
}

}  // namespace

RateTable::RateTable(const SymbolLayout& layout, ContextTables tables)
    : grid_(layout),
      packed_bytes_(layout.packedBytes()),
      tables_(std::move(tables)),
      rows_of_class_(tables_.units(1).size()) {
  for (std::size_t c = 1; c < kContextClasses; ++c) {
    for (const ContextTables::Row& row : tables_.units(c)) appendLengths(row, lengths_);
  }
}

Result<RateTable> RateTable::create(const SymbolLayout& layout, ByteSpan tables) {
  // Makes the checks of the layout.
  CoderParams params{CoderKind::context};
  params.tables.assign(tables.begin(), tables.end());
  NARROWS_CHECK(makeCoder(params, layout));
  if (tables.empty()) return RateTable(layout, ContextTables::standard(layout));
  NARROWS_TRY(parsed, ContextTables::parse(tables, layout));
  return RateTable(layout, std::move(parsed));
}

float RateTable::classLength(std::size_t plane, std::size_t class_index) const {
  const ContextTables::Row& row = tables_.planeClasses(plane);
  const std::uint32_t start = class_index == 0 ? 0 : row[class_index - 1];
  return lengthOf(row[class_index] - start);
}

void RateTable::planeRows(const std::uint8_t* high, const std::uint8_t* low,
                          const std::uint8_t* reference, std::span<std::uint32_t> rows) const {
  const std::size_t units = grid_.unitsPerPlane();
  std::vector<std::uint16_t> contexts(rows.size());
  grid_.planeContexts(high, low, reference, contexts.data(),
                      low != nullptr ? contexts.data() + units : nullptr);
  for (std::size_t k = 0; k < rows.size(); ++k) {
    rows[k] = k < units ? tables_.rowOf()[contexts[k]]
                        : static_cast<std::uint32_t>(tables_.highRows()) +
                              tables_.lowRowOf()[contexts[k]];
  }
}

MapRate RateTable::rate(std::span<const std::uint8_t> symbols) const {
  const SymbolLayout& layout = grid_.layout();
  NARROWS_ASSERT(symbols.size() == layout.symbols());
  MapRate result;
  if (symbols.empty()) return result;
  const std::size_t plane_symbols = layout.height * layout.width;
  const std::size_t high_units = grid_.unitsPerPlane();
  const bool has_low = grid_.lowBits() > 0;
  const std::size_t units = has_low ? 2 * high_units : high_units;
  result.classes.assign(layout.planes, 0);
  result.units.resize(layout.planes * units);
  result.rows.assign(layout.planes * units, kNoRow);
  ContextGuesser guesser(grid_, tables_.planes(layout.planes), context::fastestLoops());
  guesser.reserveSlots(1);
  const auto highOf = [&](std::size_t p) { return result.units.data() + p * units; };
  const auto lowOf = [&](std::size_t p) { return has_low ? highOf(p) + high_units : nullptr; };
  for (std::size_t p = 0; p < layout.planes; ++p) {
    const std::uint8_t* values = symbols.data() + p * plane_symbols;
    grid_.split(values, highOf(p), lowOf(p));
    guesser.note(p, has_low ? highOf(p) : values);
  }

  std::vector<double> bits_of(layout.planes, 0);
  double class_bits = 0;
  for (std::size_t p = 0; p < layout.planes; ++p) {
    const std::span<const std::uint8_t> plane(highOf(p), units);
    if (std::all_of(plane.begin(), plane.end(), [](std::uint8_t unit) { return unit == 0; })) {
      class_bits += static_cast<double>(classLength(p, 0));
      continue;
    }
    const std::span<std::uint32_t> rows(result.rows.data() + p * units, units);
    planeRows(highOf(p), lowOf(p), guesser.guess(p, 0), rows);
    double best = 0;
    std::uint8_t chosen = 0;
    for (std::size_t c = 1; c < kContextClasses; ++c) {
      const float* table = lengths_.data() + (c - 1) * rows_of_class_ * kUnitSymbols;
      auto bits = static_cast<double>(classLength(p, c));
      for (std::size_t k = 0; k < units; ++k) {
        bits += static_cast<double>(table[rows[k] * kUnitSymbols + plane[k]]);
      }
      if (chosen == 0 || bits < best) {
        best = bits;
        chosen = static_cast<std::uint8_t>(c);
      }
    }
    class_bits += static_cast<double>(classLength(p, chosen));
    bits_of[p] = best - static_cast<double>(classLength(p, chosen));
    result.classes[p] = chosen;
    for (std::uint32_t& row : rows) {
      row += static_cast<std::uint32_t>((chosen - 1U) * rows_of_class_);
    }
  }
  // The first state has the classes too.
  std::vector<std::size_t> live = guesser.order();
  std::erase_if(live, [&](std::size_t p) { return result.classes[p] == 0; });
  const auto bitsWith = [&](std::size_t lanes) {
    std::vector<double> lane_bits(lanes, 0);
    lane_bits[0] = class_bits;
    std::vector<std::size_t> grouped = live;
    std::vector<std::size_t> ends;
    guesser.formGroups(lanes, grouped, ends);
    std::size_t first = 0;
    for (const std::size_t end : ends) {
      for (std::size_t i = first; i < end; ++i) lane_bits[i - first] += bits_of[grouped[i]];
      first = end;
    }
    double bits = 0;
    for (const double of_lane : lane_bits) bits += bitsOfState(of_lane);
    return bits;
  };
  // As the coder does: fewer lanes until the code pays for them.
  std::size_t lanes = context::laneCount(live.size(), units);
  result.bits = bitsWith(lanes);
  const auto paid = [&] {
    return context::laneCount(live.size(), units, static_cast<std::size_t>(result.bits / 8));
  };
  while (paid() < lanes) {
    lanes = paid();
    result.bits = bitsWith(lanes);
  }
  return result;
}

double RateTable::frameBytes(std::span<const std::uint8_t> symbols) const {
  const double code = rate(symbols).bits / 8;
  return static_cast<double>(kFrameHeaderBytes) +
         std::min(code, static_cast<double>(packed_bytes_));
}

}  // namespace narrows
