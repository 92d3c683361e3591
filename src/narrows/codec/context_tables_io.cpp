#include <algorithm>
#include <array>

#include "narrows/codec/byte_compressor.h"
#include "narrows/codec/context_tables.h"

namespace narrows {
namespace {

constexpr std::uint8_t kTablesVersion = 1;
constexpr int kCompression = 19;

void appendRow(const ContextTables::Row& row, ByteWriter& out) {
  std::uint16_t start = 0;
  for (const std::uint16_t end : row) {
    out.write(static_cast<std::uint16_t>(end - start));
    start = end;
  }
}

/// Frequencies must be positive where `possible` and zero elsewhere, and add up to the total.
Result<ContextTables::Row> readRow(ByteReader& reader,
                                   std::span<const bool, kUnitSymbols> possible) {
  ContextTables::Row row{};
  std::uint32_t end = 0;
  for (std::size_t u = 0; u < kUnitSymbols; ++u) {
    NARROWS_TRY(frequency, reader.read<std::uint16_t>("frequency"));
    if ((frequency > 0) != possible[u] || frequency > kContextTotal) {
      return makeError("frequency {} of unit {}, expected {}", frequency, u,
                       possible[u] ? "1 to 16384" : "0");
    }
    end += frequency;
    row[u] = static_cast<std::uint16_t>(std::min(end, kContextTotal));
  }
  if (end != kContextTotal) {
    return makeError("frequencies add up to {}, expected {}", end, kContextTotal);
  }
  return row;
}

std::array<bool, kUnitSymbols> possibleClasses() {
  std::array<bool, kUnitSymbols> possible{};
  for (std::size_t c = 0; c < kContextClasses; ++c) possible[c] = true;
  return possible;
}

}  // namespace

Result<ByteVector> ContextTables::serialize() const {
  ByteWriter plain;
  for (const Row& row : plane_classes_) appendRow(row, plain);
  // Classes side by side: rows that no plane has used are equal, and so compress away.
  for (std::size_t row = 0; row < units_[0].size(); ++row) {
    for (const std::vector<Row>& table : units_) appendRow(table[row], plain);
  }
  NARROWS_TRY(compressor, makeLzma(kCompression, plain.size()));
  ByteVector bytes = {std::byte{kTablesVersion},
                      static_cast<std::byte>(plane_classes_.size() == 1 ? 0 : 1)};
  NARROWS_TRY(fits, compressor->compress(plain.view(), plain.size() + 1024, bytes));
  if (!fits) return makeError("context tables cannot be compressed");
  return bytes;
}

Result<ContextTables> ContextTables::parse(ByteSpan bytes, const SymbolLayout& layout) {
  if (bytes.size() > kMaxTableBytes) {
    return makeError("context tables of {} bytes, expected at most {}", bytes.size(),
                     kMaxTableBytes);
  }
  ByteReader header(bytes);
  NARROWS_TRY(version, header.read<std::uint8_t>("version of context tables"));
  NARROWS_TRY(by_plane, header.read<std::uint8_t>("kind of context tables"));
  if (version != kTablesVersion || by_plane > 1) {
    return makeError("context tables of version {} and kind {}, expected version {}, kind 0 or 1",
                     version, by_plane, kTablesVersion);
  }
  const ContextGrid grid(layout);
  const std::size_t planes = by_plane == 1 ? grid.layout().planes : 1;
  const std::size_t row_count = planes + grid.rows() * (kContextClasses - 1);
  ByteVector plain(row_count * kUnitSymbols * sizeof(std::uint16_t));
  NARROWS_TRY(compressor, makeLzma(kCompression, plain.size()));
  NARROWS_CHECK(
      compressor->decompress(bytes.subspan(header.offset()), plain).within("context tables"));

  ByteReader reader(plain);
  ContextTables tables;
  const auto possible_classes = possibleClasses();
  for (std::size_t p = 0; p < planes; ++p) {
    NARROWS_TRY(row, readRow(reader, possible_classes));
    tables.plane_classes_.push_back(row);
  }
  tables.units_.assign(kContextClasses - 1, std::vector<Row>(grid.rows()));
  for (std::size_t r = 0; r < grid.rows(); ++r) {
    const auto possible = grid.possibleUnits(r);
    for (std::vector<Row>& table : tables.units_) {
      NARROWS_TRY(row, readRow(reader, possible));
      table[r] = row;
    }
  }
  return tables;
}

}  // namespace narrows
