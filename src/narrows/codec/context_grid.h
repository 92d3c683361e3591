#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "narrows/codec/lossless.h"

/// How the context coder sees a map. A plane is cut into units of up to four bits: four neighbours
/// of a row at 1 bit, two at 2 bits, one at 3 and 4 bits; at 5 to 8 bits a symbol is a high unit of
/// four bits and a low one of the rest. A unit is coded under a context made of the units to its
/// left, above, and above to either side.
namespace narrows {

inline constexpr std::size_t kUnitSymbols = 16;

/// Geometry and context numbering of one layout. A context is a row of a table; rows are, in order,
/// those of units inside, of units in a plane's first row, of units with fill (the last of a row
/// whose width is no multiple of the unit's), and of low units.
class ContextGrid {
 public:
  explicit ContextGrid(const SymbolLayout& layout);

  /// The layout given; planes of one symbol each (features without a place) as one row instead.
  const SymbolLayout& layout() const { return layout_; }
  /// Units in a row, and in a plane.
  std::size_t columns() const { return columns_; }
  std::size_t unitsPerPlane() const { return columns_ * layout_.height; }
  /// Neighbouring symbols in a unit.
  int symbolsPerUnit() const { return symbols_per_unit_; }
  /// Bits of the low units; 0 up to 4 bits.
  int lowBits() const { return low_bits_; }
  std::size_t rows() const { return low_base_ + (low_bits_ > 0 ? kLowRows : 0); }
  /// Row of a unit inside with these neighbours: `window` holds the units above left, above and
  /// above right, four bits each from the highest.
  std::size_t insideRow(unsigned left, unsigned window) const {
    return static_cast<std::size_t>(from_left_[left]) + from_above_[window];
  }
  /// Row of a unit in a plane's first row.
  std::size_t firstRow(unsigned left) const { return first_row_base_ + from_left_[left]; }
  /// A unit with fill has the row of its neighbours plus this, in a plane's first row this plus the
  /// left part; 0 when there is no fill.
  std::size_t fillBase() const { return fill_bits_ > 0 ? fill_base_ : 0; }
  std::size_t lowBase() const { return low_base_; }
  /// Values that units take are below this; those of low units below 2^lowBits().
  unsigned unitCount() const { return unit_count_; }
  /// Symbols that a unit under this context may have: 2^n of them; those of a unit with fill have
  /// zeros in it.
  bool possible(std::size_t row, std::size_t unit) const;
  std::array<bool, kUnitSymbols> possibleUnits(std::size_t row) const {
    std::array<bool, kUnitSymbols> units{};
    for (std::size_t u = 0; u < kUnitSymbols; ++u) units[u] = possible(row, u);
    return units;
  }

  /// Units of a plane: `high` (and `low` from 5 bits on) have unitsPerPlane() entries.
  void split(const std::uint8_t* symbols, std::uint8_t* high, std::uint8_t* low) const;
  void join(const std::uint8_t* high, const std::uint8_t* low, std::uint8_t* symbols) const;

  /// The part of the context of each unit in row `y` that comes from the row above: `above` has
  /// columns() entries, unused for y = 0.
  void contextsFromAbove(std::size_t y, const std::uint8_t* above, std::uint16_t* parts) const;
  /// Adding this to it gives the row of the table. `left` is the unit to the left; for the first
  /// unit of a row what `leftOfFirst` says.
  std::uint16_t contextFromLeft(std::uint8_t left) const { return from_left_[left]; }
  std::uint8_t leftOfFirst(std::size_t y, const std::uint8_t* above) const {
    return y == 0 ? std::uint8_t{0} : spread_first_[above[0]];
  }
  /// Row of the low unit of a symbol whose high unit is `high`; neighbours outside are 0.
  std::size_t lowContext(std::uint8_t high, std::uint8_t left_high, std::uint8_t left_low,
                         std::uint8_t up_high, std::uint8_t up_low) const {
    return low_base_ +
           (static_cast<std::size_t>(high) * 5 + likeness(high, left_high, left_low)) * 5 +
           likeness(high, up_high, up_low);
  }

  /// All contexts of a plane, row by row: `rows` has unitsPerPlane() entries, `low_rows` too where
  /// there are low units.
  void contexts(const std::uint8_t* high, const std::uint8_t* low, std::uint16_t* rows,
                std::uint16_t* low_rows) const;

 private:
  static constexpr std::size_t kLowRows = 16 * 5 * 5;

  /// 0 when the neighbour's high unit differs, else 1 + the top two bits of its low unit.
  std::size_t likeness(std::uint8_t high, std::uint8_t other_high, std::uint8_t other_low) const {
    return high != other_high ? 0U : 1U + (static_cast<unsigned>(other_low) << 2 >> low_bits_);
  }

  SymbolLayout layout_;
  int symbols_per_unit_ = 1;
  int low_bits_ = 0;
  int fill_bits_ = 0;
  unsigned unit_count_ = 16;
  std::size_t columns_ = 0;
  std::size_t first_row_base_ = 0;
  std::size_t fill_base_ = 0;
  std::size_t low_base_ = 0;
  std::array<std::uint16_t, kUnitSymbols> from_left_{};
  std::array<std::uint8_t, kUnitSymbols> spread_first_{};
  std::array<std::uint8_t, kUnitSymbols> spread_last_{};
  /// By (above left, above, above right), four bits each.
  std::vector<std::uint16_t> from_above_;
};

}  // namespace narrows
