#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "narrows/codec/context_plane_loops.h"
#include "narrows/codec/lossless.h"

/// How the context coder sees a map. A plane is cut into units of up to four bits: four neighbours
/// of a row at 1 bit, two at 2 bits, one at 3 and 4 bits; at 5 to 8 bits a symbol is a high unit of
/// four bits and a low one of the rest. A unit is coded under a context made of the units to its
/// left, above, and above to either side, and of the unit at its place in a reference plane.
namespace narrows {

inline constexpr std::size_t kUnitSymbols = 16;

/// Geometry and context numbering of one layout. The context of a high unit is the sum of a part
/// from the left, a part from above and a part from the guess; docs/feature-frame.md has
/// the numbers.
class ContextGrid {
 public:
  explicit ContextGrid(const SymbolLayout& layout,
                       context::PlaneLoops loops = context::fastestPlaneLoops());

  /// The layout given; planes of one symbol each (features without a place) as one row instead.
  const SymbolLayout& layout() const { return layout_; }
  const context::PlaneLoops& loops() const { return loops_; }
  /// Units in a row, and in a plane.
  std::size_t columns() const { return columns_; }
  std::size_t unitsPerPlane() const { return columns_ * layout_.height; }
  /// Neighbouring symbols in a unit.
  int symbolsPerUnit() const { return symbols_per_unit_; }
  /// Bits of a symbol that are in a high unit, and in a low one; 0 low bits up to 4 bits.
  int highBits() const { return high_bits_; }
  int lowBits() const { return low_bits_; }
  /// A last unit of a row has this many bits of fill, which are 0.
  int fillBits() const { return fill_bits_; }

  /// Contexts of high units: those of planes without a reference plane come first, then as many for
  /// each of `referenceLevels()` levels of the unit in the reference plane.
  std::size_t contexts() const { return contexts_alone_ * (1 + reference_levels_); }
  std::size_t contextsAlone() const { return contexts_alone_; }
  std::size_t referenceLevels() const { return reference_levels_; }
  /// Contexts of low units; 0 where there are none.
  std::size_t lowContexts() const { return low_bits_ > 0 ? kLowContexts : 0; }

  /// A coarser numbering of the contexts of high units, from the nearest neighbours alone.
  std::size_t coarseContexts() const { return coarse_alone_ * (1 + reference_levels_); }
  std::size_t coarseContext(std::size_t context) const;
  /// The coarse context of the same neighbours without a reference plane.
  std::size_t coarseAlone(std::size_t coarse) const { return coarse % coarse_alone_; }

  /// Units of a plane: `high` (and `low` from 5 bits on) have unitsPerPlane() entries.
  void split(const std::uint8_t* symbols, std::uint8_t* high, std::uint8_t* low) const;
  /// Values of high_bits bits each to high units.
  void splitHigh(const std::uint8_t* values, std::uint8_t* high) const;
  void join(const std::uint8_t* high, const std::uint8_t* low, std::uint8_t* symbols) const;
  /// Whether no unit of a plane has bits in its fill.
  bool fillIsZero(const std::uint8_t* high) const;

  /// Units that may be read, and parts that may be written, beyond rows of high units: before them
  /// and after them. What the units are does not matter.
  static constexpr std::size_t kRowSlack = context::kPlaneSlack;

  /// The parts of the contexts of row `y` that come from above and from the reference plane:
  /// `above` and `reference` are rows of high units, `above` unused for y = 0, `reference` null
  /// without one.
  void parts(std::size_t y, const std::uint8_t* above, const std::uint8_t* reference,
             std::uint16_t* parts) const;
  context::PartNumbers partNumbers() const;
  /// Adding this to it gives the context. `left` is the unit to the left; for the first unit of a
  /// row what `leftOfFirst` says.
  const std::array<std::uint16_t, kUnitSymbols>& leftParts() const { return left_parts_; }
  /// Whether the part of a unit to the left is the unit itself.
  bool leftIsPart() const { return symbols_per_unit_ == 1; }
  std::uint8_t leftOfFirst(std::size_t y, const std::uint8_t* above) const {
    return y == 0 ? std::uint8_t{0} : spread_first_[above[0]];
  }

  /// The same for low units: `parts` + (`masks` & lowLeftParts()[low unit to the left]). The rows
  /// above are unused for y = 0.
  void lowParts(std::size_t y, const std::uint8_t* high, const std::uint8_t* high_above,
                const std::uint8_t* low_above, std::uint16_t* parts, std::uint16_t* masks) const;
  const std::array<std::uint16_t, kUnitSymbols>& lowLeftParts() const { return low_left_parts_; }

  /// All contexts of a plane, row by row: `contexts` has unitsPerPlane() entries, `low_contexts`
  /// too where there are low units. `reference` are the high units of the reference plane or null.
  void planeContexts(const std::uint8_t* high, const std::uint8_t* low,
                     const std::uint8_t* reference, std::uint16_t* contexts,
                     std::uint16_t* low_contexts) const;

  /// The neighbours that contexts [0, contextsAlone()) stand for, by one unit each that has the
  /// context: `above` is the unit above, or the left one in a plane's first row.
  struct Neighbours {
    std::uint8_t left = 0;
    std::uint8_t above = 0;
  };
  Neighbours neighbours(std::size_t context) const;

 private:
  static constexpr std::size_t kLowContexts = 16 * 5 * 5;

  unsigned aboveOfIndex(std::size_t index) const;
  void firstRowParts(std::uint16_t* parts) const;
  context::ContextTask taskOf(const std::uint8_t* units, const std::uint8_t* above,
                              const std::uint8_t* guess, std::size_t count,
                              std::uint16_t* contexts) const;
  void lowContextsOf(const std::uint8_t* high, const std::uint8_t* low,
                     std::uint16_t* contexts) const;

  SymbolLayout layout_;
  context::PlaneLoops loops_;
  int symbols_per_unit_ = 1;
  int high_bits_ = 4;
  int low_bits_ = 0;
  int fill_bits_ = 0;
  std::size_t columns_ = 0;
  std::size_t left_count_ = 0;
  std::size_t above_count_ = 0;
  std::size_t contexts_alone_ = 0;
  std::size_t coarse_alone_ = 0;
  std::size_t reference_levels_ = 0;
  std::array<std::uint16_t, kUnitSymbols> left_parts_{};
  std::array<std::uint16_t, kUnitSymbols> low_left_parts_{};
  std::array<std::uint8_t, kUnitSymbols> spread_first_{};
  /// Units of a row without fill, units in whole blocks of the loops, and rows from the first on
  /// that are made in those.
  std::size_t whole_units_ = 0;
  std::size_t block_units_ = 0;
  std::size_t rows_in_blocks_ = 0;
  /// 0xFF for the first, or the last, unit of each row of a plane but one.
  std::vector<std::uint8_t> first_mask_;
  std::vector<std::uint8_t> last_mask_;
};

}  // namespace narrows
