#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"
#include "narrows/codec/context_tables.h"
#include "narrows/codec/lossless.h"

namespace narrows {

/// What the units of a map cost under a context coder's tables.
struct MapRate {
  /// Expected length of the code, bits.
  double bits = 0;
  /// Class of each plane; 0 where it is zeros alone.
  std::vector<std::uint8_t> classes;
  /// Where the code length of each unit is found: `lengths()[rows[k] * kUnitSymbols + units[k]]`.
  /// Planes in order, those of class 0 too, whose rows are RateTable::kNoRow; in a plane the high
  /// units row by row, then the low ones. ContextGrid says which symbols a unit holds.
  std::vector<std::uint32_t> rows;
  std::vector<std::uint8_t> units;
};

/// Code lengths of a context coder, by which the length of a map's code is known without coding it:
/// the sum of log2(total / frequency) over the units under their contexts (Shannon, 1948) and the
/// classes of the planes, in whole words of the states that they go into, and the states.
class RateTable {
 public:
  static constexpr std::uint32_t kNoRow = 0xFFFFFFFF;

  /// `tables` as in CoderParams: serialized, or nothing for the standard ones. Fails where
  /// `makeCoder` does.
  static Result<RateTable> create(const SymbolLayout& layout, ByteSpan tables);

  const ContextGrid& grid() const { return grid_; }
  /// Rows of all classes, and kUnitSymbols code lengths in bits for each; those of units that
  /// cannot occur are kNever.
  std::size_t rows() const { return lengths_.size() / kUnitSymbols; }
  std::span<const float> lengths() const { return lengths_; }
  static constexpr float kNever = 2 * kContextPrecision;
  /// Bits that say that the plane is of the class.
  float classLength(std::size_t plane, std::size_t class_index) const;

  /// `symbols` fits the layout; asserted. Each plane takes the class in which it is shortest.
  MapRate rate(std::span<const std::uint8_t> symbols) const;
  /// Expected bytes of the map's feature frame: the header, and the code or the bit string,
  /// whichever is shorter.
  double frameBytes(std::span<const std::uint8_t> symbols) const;

 private:
  RateTable(const SymbolLayout& layout, ContextTables tables);
  /// Rows of one plane's units within a class.
  void planeRows(const std::uint8_t* high, const std::uint8_t* low, const std::uint8_t* reference,
                 std::span<std::uint32_t> rows) const;

  ContextGrid grid_;
  std::size_t packed_bytes_;
  ContextTables tables_;
  std::size_t rows_of_class_;
  std::vector<float> lengths_;
};

}  // namespace narrows
