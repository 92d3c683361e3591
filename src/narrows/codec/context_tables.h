#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"
#include "narrows/codec/context_grid.h"
#include "narrows/codec/lossless.h"

namespace narrows {

/// Frequencies of units add up to 2^kContextPrecision in every row.
inline constexpr int kContextPrecision = 14;
inline constexpr std::uint32_t kContextTotal = 1U << kContextPrecision;
/// Class 0 is a plane of zeros alone; the others have tables.
inline constexpr std::size_t kContextClasses = 9;
/// Contexts share rows of frequencies: at most this many for high and as many for low units.
inline constexpr std::size_t kMaxContextRows = 256;
/// Largest map, in symbols, that the context coder takes.
inline constexpr std::size_t kMaxContextSymbols = std::size_t{1} << 26;

/// What a plane of a lower stage lends to the guess of another: weights of its value in the same
/// place, of the sum of those to the right and below, and of the sum of those to the left and
/// above.
struct GuessTerm {
  std::uint32_t plane = 0;
  std::int8_t here = 0;
  std::int8_t ahead = 0;
  std::int8_t behind = 0;

  friend bool operator==(const GuessTerm&, const GuessTerm&) = default;
};

/// Where a plane comes in the code, and how it is guessed from planes before it.
struct ContextPlane {
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  static constexpr std::size_t kMaxTerms = 6;
  /// Planes of lower stages are coded first.
  std::uint8_t stage = 0;
  /// At most kMaxTerms, the most alike first; none for a plane that is not guessed.
  std::vector<GuessTerm> terms;
  /// Ascending; one fewer than there are levels of a guess. Empty without terms.
  std::vector<std::int16_t> thresholds;

  /// The plane most alike, or kNone.
  std::uint32_t reference() const { return terms.empty() ? kNone : terms[0].plane; }

  friend bool operator==(const ContextPlane&, const ContextPlane&) = default;
};

/// What a context coder knows beforehand of the maps of one layout: for each context the row of
/// frequencies that it uses, for each class of planes the frequency of each unit in each row, for
/// each plane the frequency of each class and how it is guessed from others.
class ContextTables {
 public:
  /// Ends of the units' ranges: unit u holds [u == 0 ? 0 : ends[u - 1], ends[u]).
  using Row = std::array<std::uint16_t, kUnitSymbols>;
  static constexpr std::uint8_t kStages = 16;

  /// Tables for maps of which nothing is known but that they are sparse and smooth: class 1 the
  /// sparsest. Made by integer-valued arithmetic alone, the same on every machine.
  static ContextTables standard(const SymbolLayout& layout);
  /// What `serialize` gave for maps of this layout. Any bytes may come.
  static Result<ContextTables> parse(ByteSpan bytes, const SymbolLayout& layout);
  /// Frequencies as bytes, compressed; docs/feature-frame.md has the form.
  Result<ByteVector> serialize() const;

  /// Rows of a class from 1 on: those of high units, then those of low ones.
  std::span<const Row> units(std::size_t class_index) const { return units_[class_index - 1]; }
  /// Row of each context of ContextGrid; those of low units count from `highRows()` on.
  std::span<const std::uint8_t> rowOf() const { return row_of_; }
  std::span<const std::uint8_t> lowRowOf() const { return low_row_of_; }
  std::size_t highRows() const { return high_rows_; }
  std::size_t lowRows() const { return units_[0].size() - high_rows_; }
  /// Frequencies of the classes of a plane, as a row over class numbers.
  const Row& planeClasses(std::size_t plane) const {
    return plane_classes_[plane_classes_.size() == 1 ? 0 : plane];
  }
  ContextPlane plane(std::size_t plane) const {
    return planes_.empty() ? ContextPlane{} : planes_[plane];
  }
  /// All of them, for a layout of `count` planes.
  std::vector<ContextPlane> planes(std::size_t count) const {
    return planes_.empty() ? std::vector<ContextPlane>(count) : planes_;
  }

 private:
  friend class ContextFit;
  /// kContextClasses - 1 tables.
  std::vector<std::vector<Row>> units_;
  std::size_t high_rows_ = 0;
  std::vector<std::uint8_t> row_of_;
  std::vector<std::uint8_t> low_row_of_;
  /// One for each plane, or one for all.
  std::vector<Row> plane_classes_;
  /// One for each plane, or none where no plane is guessed.
  std::vector<ContextPlane> planes_;
};

/// Fits tables to maps: contexts with like frequencies share a row, planes with like frequencies a
/// class, and planes are guessed from others where that makes held-out maps smaller.
class ContextTrainer {
 public:
  explicit ContextTrainer(const SymbolLayout& layout);
  /// Adds a map; symbols fit the layout. Beyond kMaxUnits units in all, maps are left out.
  void observe(std::span<const std::uint8_t> symbols);
  /// Tables of the maps so far; `ContextTables::standard` without any.
  ContextTables fit() const;

  static constexpr std::size_t kMaxUnits = std::size_t{1} << 24;

 private:
  ContextGrid grid_;
  /// High units, then low units, of each map.
  std::vector<std::vector<std::uint8_t>> maps_;
};

/// Frequencies of `count` units proportional to `weights`, at least 1 each, adding up to
/// 2^kContextPrecision; the others 0. Weights are not negative.
ContextTables::Row frequencyRow(std::span<const double, kUnitSymbols> weights, std::size_t count);

}  // namespace narrows
