#include "narrows/cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "narrows/base/assert.h"

namespace narrows {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

std::string terminalText(const Cell& cell, int digits) {
  return std::visit(Overloaded{
                        [](std::monostate) { return std::string("-"); },
                        [](const std::string& text) { return text; },
                        [](std::int64_t value) { return withSeparators(value); },
                        [&](double value) { return fmt::format("{:.{}f}", value, digits); },
                        [](bool value) { return std::string(value ? "yes" : "no"); },
                    },
                    cell);
}

nlohmann::ordered_json jsonValue(const Cell& cell) {
  return std::visit(Overloaded{
                        [](std::monostate) { return nlohmann::ordered_json(nullptr); },
                        [](double value) {
                          return std::isfinite(value) ? nlohmann::ordered_json(value)
                                                      : nlohmann::ordered_json(nullptr);
                        },
                        [](const auto& value) { return nlohmann::ordered_json(value); },
                    },
                    cell);
}

std::string csvText(const Cell& cell) {
  if (std::holds_alternative<std::monostate>(cell)) return "";
  if (const auto* text = std::get_if<std::string>(&cell)) {
    if (text->find_first_of("\",\n\r") == std::string::npos) return *text;
    std::string quoted = "\"";
    for (char c : *text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
  }
  return jsonValue(cell).dump();
}

bool isText(const Cell& cell) {
  return std::holds_alternative<std::string>(cell);
}

/// Columns of a terminal that a UTF-8 text takes, one for each code point.
std::size_t displayWidth(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

}  // namespace

std::string withSeparators(std::int64_t value) {
  std::string digits = fmt::format("{}", value);
  const std::size_t first = digits.front() == '-' ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

void Table::add(std::vector<Cell> row) {
  NARROWS_ASSERT(row.size() == columns_.size());
  rows_.push_back(std::move(row));
}

std::string Table::terminal() const {
  std::vector<std::vector<std::string>> texts;
  std::vector<std::size_t> widths;
  std::vector<bool> left(columns_.size(), false);
  for (const Column& column : columns_) widths.push_back(displayWidth(column.heading));
  for (const auto& row : rows_) {
    auto& line = texts.emplace_back();
    for (std::size_t i = 0; i < row.size(); ++i) {
      line.push_back(terminalText(row[i], columns_[i].digits));
      widths[i] = std::max(widths[i], displayWidth(line.back()));
      if (isText(row[i])) left[i] = true;
    }
  }
  std::string out;
  const auto append = [&](const auto& cell_of) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& cell = cell_of(i);
      const std::string gap(widths[i] - displayWidth(cell), ' ');
      if (i > 0) line += "  ";
      line += left[i] ? cell + gap : gap + cell;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  append([&](std::size_t i) -> const std::string& { return columns_[i].heading; });
  for (const auto& line : texts)
    append([&](std::size_t i) -> const std::string& { return line[i]; });
  return out;
}

std::string Table::csv() const {
  std::string out;
  for (std::size_t i = 0; i < columns_.size(); ++i) out += (i == 0 ? "" : ",") + columns_[i].key;
  out += "\n";
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) out += (i == 0 ? "" : ",") + csvText(row[i]);
    out += "\n";
  }
  return out;
}

std::string Table::json() const {
  auto rows = nlohmann::ordered_json::array();
  for (const auto& row : rows_) {
    nlohmann::ordered_json object;
    for (std::size_t i = 0; i < row.size(); ++i) object[columns_[i].key] = jsonValue(row[i]);
    rows.push_back(std::move(object));
  }
  return rows.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string Table::text(OutputFormat format) const {
  switch (format) {
    case OutputFormat::json:
      return json();
    case OutputFormat::csv:
      return csv();
    case OutputFormat::terminal:
      break;
  }
  return terminal();
}

}  // namespace narrows
