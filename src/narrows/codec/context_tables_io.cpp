#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "narrows/codec/byte_compressor.h"
#include "narrows/codec/context_tables.h"

namespace narrows {
namespace {

constexpr std::uint8_t kTablesVersion = 4;
/// Tables of this version have room for fewer terms, and are read still.
constexpr std::uint8_t kEarlierVersion = 3;
constexpr std::size_t kEarlierTerms = 4;
constexpr std::uint8_t kByPlane = 1;
constexpr std::uint8_t kReferences = 2;
constexpr int kCompression = 19;

std::size_t countOfHigh(const ContextGrid& grid) {
  return std::size_t{1} << (grid.highBits() * grid.symbolsPerUnit());
}
std::size_t countOfLow(const ContextGrid& grid) {
  return std::size_t{1} << grid.lowBits();
}

/// Bytes of a plane's stage and guess.
std::size_t planeBytes(std::size_t terms, std::size_t thresholds) {
  return 2 + terms * 7 + 2 * thresholds;
}

std::size_t thresholdsOf(const std::vector<ContextPlane>& planes) {
  for (const ContextPlane& plane : planes) {
    if (!plane.terms.empty()) return plane.thresholds.size();
  }
  return 0;
}

void appendRow(const ContextTables::Row& row, ByteWriter& out) {
  std::uint16_t start = 0;
  for (const std::uint16_t end : row) {
    out.write(static_cast<std::uint16_t>(end - start));
    start = end;
  }
}

/// The first `count` frequencies must be positive, the others zero, and all add up to the total.
Result<ContextTables::Row> readRow(ByteReader& reader, std::size_t count) {
  ContextTables::Row row{};
  std::uint32_t end = 0;
  for (std::size_t u = 0; u < kUnitSymbols; ++u) {
    NARROWS_TRY(frequency, reader.read<std::uint16_t>("frequency"));
    if ((frequency > 0) != (u < count) || frequency > kContextTotal) {
      return makeError("frequency {} of unit {}, expected {}", frequency, u,
                       u < count ? "1 to 16384" : "0");
    }
    end += frequency;
    row[u] = static_cast<std::uint16_t>(std::min(end, kContextTotal));
  }
  if (end != kContextTotal) {
    return makeError("frequencies add up to {}, expected {}", end, kContextTotal);
  }
  return row;
}

Result<std::vector<std::uint8_t>> readRowNumbers(ByteReader& reader, std::size_t count,
                                                 std::size_t rows) {
  std::vector<std::uint8_t> numbers(count);
  for (std::uint8_t& number : numbers) {
    NARROWS_TRY(row, reader.read<std::uint8_t>("row of a context"));
    if (row >= rows) return makeError("row {} of a context, there are {}", row, rows);
    number = row;
  }
  return numbers;
}

/// `most_terms` is what there is room for.
Result<ContextPlane> readPlane(ByteReader& reader, std::size_t most_terms, std::size_t thresholds) {
  ContextPlane plane;
  NARROWS_TRY(stage, reader.read<std::uint8_t>("stage of a plane"));
  NARROWS_TRY(terms, reader.read<std::uint8_t>("number of terms"));
  if (stage >= ContextTables::kStages || terms > most_terms) {
    return makeError("stage {} and {} terms, there are {} and at most {}", stage, terms,
                     ContextTables::kStages, most_terms);
  }
  plane.stage = stage;
  for (std::size_t i = 0; i < most_terms; ++i) {
    NARROWS_TRY(from, reader.read<std::uint32_t>("plane of a term"));
    NARROWS_TRY(here, reader.read<std::int8_t>("weight of a term"));
    NARROWS_TRY(ahead, reader.read<std::int8_t>("weight of a term"));
    NARROWS_TRY(behind, reader.read<std::int8_t>("weight of a term"));
    if (i < terms) plane.terms.push_back({from, here, ahead, behind});
  }
  for (std::size_t i = 0; i < thresholds; ++i) {
    NARROWS_TRY(threshold, reader.read<std::int16_t>("threshold"));
    if (terms > 0) plane.thresholds.push_back(threshold);
  }
  return plane;
}

/// Sums of the largest values must fit in 16 bits.
Status checkGuess(const std::vector<ContextPlane>& planes, std::size_t p, int most_value) {
  const ContextPlane& plane = planes[p];
  int sum = 0;
  for (const GuessTerm& term : plane.terms) {
    if (term.plane >= planes.size() || planes[term.plane].stage >= plane.stage) {
      return makeError(
          "plane {} is guessed from plane {}, expected one of {} planes in a lower "
          "stage",
          p, term.plane, planes.size());
    }
    sum +=
        std::abs(int{term.here}) + 2 * std::abs(int{term.ahead}) + 2 * std::abs(int{term.behind});
  }
  if (sum * most_value > INT16_MAX) return makeError("plane {}: weights are too large", p);
  if (!std::is_sorted(plane.thresholds.begin(), plane.thresholds.end())) {
    return makeError("plane {}: thresholds descend", p);
  }
  return {};
}

}  // namespace

Result<ByteVector> ContextTables::serialize() const {
  ByteWriter plain;
  for (const Row& row : plane_classes_) appendRow(row, plain);
  const std::size_t thresholds = planes_.empty() ? 0 : thresholdsOf(planes_);
  for (const ContextPlane& plane : planes_) {
    plain.write(plane.stage);
    plain.write(static_cast<std::uint8_t>(plane.terms.size()));
    for (std::size_t i = 0; i < ContextPlane::kMaxTerms; ++i) {
      const GuessTerm term = i < plane.terms.size() ? plane.terms[i] : GuessTerm{};
      plain.write(term.plane);
      plain.write(term.here);
      plain.write(term.ahead);
      plain.write(term.behind);
    }
    for (std::size_t i = 0; i < thresholds; ++i) {
      plain.write(plane.terms.empty() ? std::int16_t{0} : plane.thresholds[i]);
    }
  }
  for (const std::uint8_t row : row_of_) plain.write(row);
  for (const std::uint8_t row : low_row_of_) plain.write(row);
  // Classes side by side: they are alike.
  for (std::size_t row = 0; row < units_[0].size(); ++row) {
    for (const std::vector<Row>& table : units_) appendRow(table[row], plain);
  }
  NARROWS_TRY(compressor, makeLzma(kCompression, plain.size()));
  const unsigned kind = (plane_classes_.size() == 1 ? 0U : kByPlane) |  //
                        (planes_.empty() ? 0U : kReferences);
  ByteWriter header;
  header.write(kTablesVersion);
  header.write(static_cast<std::uint8_t>(kind));
  header.write(static_cast<std::uint16_t>(high_rows_));
  header.write(static_cast<std::uint16_t>(lowRows()));
  ByteVector bytes(header.view().begin(), header.view().end());
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
  NARROWS_TRY(kind, header.read<std::uint8_t>("kind of context tables"));
  if ((version != kTablesVersion && version != kEarlierVersion) ||
      kind > (kByPlane | kReferences)) {
    return makeError(
        "context tables of version {} and kind {}, expected version {} or {}, kind 0 to 3", version,
        kind, kEarlierVersion, kTablesVersion);
  }
  const std::size_t terms = version == kTablesVersion ? ContextPlane::kMaxTerms : kEarlierTerms;
  const ContextGrid grid(layout);
  NARROWS_TRY(high_rows, header.read<std::uint16_t>("number of rows"));
  NARROWS_TRY(low_rows, header.read<std::uint16_t>("number of rows of low units"));
  if (high_rows < 1 || high_rows > kMaxContextRows || low_rows > kMaxContextRows ||
      (low_rows > 0) != (grid.lowContexts() > 0)) {
    return makeError("context tables of {} and {} rows, expected 1 to {} and {}", high_rows,
                     low_rows, kMaxContextRows, grid.lowContexts() > 0 ? "as many" : "0");
  }
  const std::size_t planes = grid.layout().planes;
  const std::size_t class_rows = (kind & kByPlane) != 0 ? planes : 1;
  const std::size_t references = (kind & kReferences) != 0 ? planes : 0;
  const std::size_t rows = std::size_t{high_rows} + low_rows;
  const int most_value = (1 << grid.highBits()) - 1;
  const auto thresholds = static_cast<std::size_t>(most_value);
  ByteVector plain((class_rows + rows * (kContextClasses - 1)) * sizeof(Row) +
                   references * planeBytes(terms, thresholds) + grid.contexts() +
                   grid.lowContexts());
  NARROWS_TRY(compressor, makeLzma(kCompression, plain.size()));
  NARROWS_CHECK(
      compressor->decompress(bytes.subspan(header.offset()), plain).within("context tables"));

  ByteReader reader(plain);
  ContextTables tables;
  for (std::size_t p = 0; p < class_rows; ++p) {
    NARROWS_TRY(row, readRow(reader, kContextClasses));
    tables.plane_classes_.push_back(row);
  }
  for (std::size_t p = 0; p < references; ++p) {
    NARROWS_TRY(plane, readPlane(reader, terms, thresholds).within(fmt::format("plane {}", p)));
    tables.planes_.push_back(std::move(plane));
  }
  for (std::size_t p = 0; p < references; ++p) {
    NARROWS_CHECK(checkGuess(tables.planes_, p, most_value));
  }
  NARROWS_TRY(row_of, readRowNumbers(reader, grid.contexts(), high_rows));
  NARROWS_TRY(low_row_of, readRowNumbers(reader, grid.lowContexts(), low_rows));
  tables.high_rows_ = high_rows;
  tables.row_of_ = std::move(row_of);
  tables.low_row_of_ = std::move(low_row_of);
  tables.units_.assign(kContextClasses - 1, std::vector<Row>(rows));
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::vector<Row>& table : tables.units_) {
      NARROWS_TRY(row, readRow(reader, r < high_rows ? countOfHigh(grid) : countOfLow(grid)));
      table[r] = row;
    }
  }
  return tables;
}

}  // namespace narrows
