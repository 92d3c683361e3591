#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace narrows {

/// How a command prints: a table for people, or JSON or CSV for machines.
enum class OutputFormat : std::uint8_t { terminal, json, csv };

/// One cell; monostate prints as "-" (JSON null, CSV empty).
using Cell = std::variant<std::monostate, std::string, std::int64_t, double, bool>;

struct Column {
  /// Key in JSON and CSV: lower case with the unit at the end, such as "node_ms".
  std::string key;
  /// Heading on a terminal, unit included.
  std::string heading;
  /// Digits after the point of a double on a terminal.
  int digits = 2;
};

/// Rows under columns with units. JSON and CSV carry full precision.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// Asserts one cell for each column.
  void add(std::vector<Cell> row);
  bool empty() const { return rows_.empty(); }

  /// Aligned columns; text left, numbers right; large integers with thin separators.
  std::string terminal() const;
  /// A header line and one line a row; RFC 4180 quoting.
  std::string csv() const;
  /// An array of objects, one a row.
  std::string json() const;
  std::string text(OutputFormat format) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

/// "12,345,678".
std::string withSeparators(std::int64_t value);

}  // namespace narrows
