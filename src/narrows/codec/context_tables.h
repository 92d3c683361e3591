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

/// Frequencies of units add up to 2^kContextPrecision in every context.
inline constexpr int kContextPrecision = 14;
inline constexpr std::uint32_t kContextTotal = 1U << kContextPrecision;
/// Class 0 is a plane of zeros alone; the others have tables.
inline constexpr std::size_t kContextClasses = 9;
/// Largest map, in symbols, that the context coder takes.
inline constexpr std::size_t kMaxContextSymbols = std::size_t{1} << 26;

/// What a context coder knows beforehand of the maps of one layout: for each class of planes the
/// frequency of each unit in each context, and for each plane the frequency of each class.
class ContextTables {
 public:
  /// Ends of the units' ranges: unit u holds [u == 0 ? 0 : ends[u - 1], ends[u]).
  using Row = std::array<std::uint16_t, kUnitSymbols>;

  /// Tables for maps of which nothing is known but that they are sparse and smooth: class 1 the
  /// sparsest. Made by integer-valued arithmetic alone, the same on every machine.
  static ContextTables standard(const SymbolLayout& layout);
  /// What `serialize` gave for maps of this layout. Any bytes may come.
  static Result<ContextTables> parse(ByteSpan bytes, const SymbolLayout& layout);
  /// Frequencies as bytes, compressed; docs/feature-frame.md has the form.
  Result<ByteVector> serialize() const;

  /// Rows of a class from 1 on, numbered as in ContextGrid.
  std::span<const Row> units(std::size_t class_index) const { return units_[class_index - 1]; }
  /// Frequencies of the classes of a plane, as a row over class numbers.
  const Row& planeClasses(std::size_t plane) const {
    return plane_classes_[plane_classes_.size() == 1 ? 0 : plane];
  }

 private:
  friend class ContextTrainer;
  /// kContextClasses - 1 tables.
  std::vector<std::vector<Row>> units_;
  /// One for each plane, or one for all.
  std::vector<Row> plane_classes_;
};

/// Fits tables to maps by alternating between the best class of each plane and the tables of each
/// class.
class ContextTrainer {
 public:
  explicit ContextTrainer(const SymbolLayout& layout);
  /// Adds a map; symbols fit the layout. Beyond kMaxUnits units in all, maps are left out.
  void observe(std::span<const std::uint8_t> symbols);
  /// Tables of the maps so far; `ContextTables::standard` without any.
  ContextTables fit() const;

  static constexpr std::size_t kMaxUnits = std::size_t{1} << 25;

 private:
  struct Plane {
    std::size_t index = 0;
    std::vector<std::uint16_t> rows;
    std::vector<std::uint8_t> units;
  };
  ContextGrid grid_;
  std::size_t total_units_ = 0;
  /// Planes that are not zeros alone.
  std::vector<Plane> planes_;
  std::size_t maps_ = 0;
};

/// Frequencies proportional to `weights`, at least 1 where `possible`, adding up to
/// 2^kContextPrecision. Weights are not negative.
ContextTables::Row frequencyRow(std::span<const double, kUnitSymbols> weights,
                                std::span<const bool, kUnitSymbols> possible);

}  // namespace narrows
