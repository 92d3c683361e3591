#include "narrows/formats/darknet_cfg.h"

#include <charconv>
#include <cmath>

namespace narrows {
namespace {

constexpr std::size_t kMaxSections = 10000;
constexpr std::size_t kMaxOptions = 1000;

std::string withoutSpace(std::string_view text) {
  std::string kept;
  for (char c : text) {
    if (c != ' ' && c != '\t' && c != '\r') kept += c;
  }
  return kept;
}

/// Text of the file for an error: printable and short.
std::string inQuotes(std::string_view text) {
  constexpr std::size_t kLongest = 40;
  std::string shown;
  for (char c : text.substr(0, kLongest)) shown += c >= ' ' && c <= '~' ? c : '?';
  return fmt::format("\"{}{}\"", shown, text.size() > kLongest ? "..." : "");
}

template <class T>
bool parseWhole(std::string_view text, T& value) {
  const char* end = text.data() + text.size();
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  return code == std::errc() && stop == end;
}

/// The parts between commas; a comma at the end adds none.
std::vector<std::string_view> splitList(std::string_view text) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    parts.push_back(text.substr(0, comma));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return parts;
}

}  // namespace

Error DarknetSection::error(std::string_view message) const {
  return makeError("line {}: [{}]: {}", line_, name_, message);
}

Error DarknetSection::errorAt(std::string_view key, std::string_view message) const {
  for (const Option& option : options_) {
    if (option.key == key) {
      return makeError("line {}: [{}] {} = {}: {}", option.line, name_, key, inQuotes(option.value),
                       message);
    }
  }
  return error(fmt::format("{}: {}", key, message));
}

bool DarknetSection::has(std::string_view key) const {
  for (const Option& option : options_) {
    if (option.key == key) return true;
  }
  return false;
}

Result<const DarknetSection::Option*> DarknetSection::find(std::string_view key) const {
  const Option* found = nullptr;
  for (const Option& option : options_) {
    if (option.key != key) continue;
    if (found != nullptr && found->value != option.value) {
      return makeError("line {}: [{}] {} = {}, but {} in line {}", option.line, name_, key,
                       inQuotes(option.value), inQuotes(found->value), found->line);
    }
    if (found == nullptr) found = &option;
  }
  return found;
}

Result<std::int64_t> DarknetSection::integer(std::string_view key, std::int64_t fallback,
                                             std::int64_t least, std::int64_t most) const {
  NARROWS_TRY(option, find(key));
  if (option == nullptr) return fallback;
  std::int64_t value = 0;
  if (!parseWhole(option->value, value) || value < least || value > most) {
    return errorAt(key, fmt::format("expected a whole number from {} to {}", least, most));
  }
  return value;
}

Result<double> DarknetSection::number(std::string_view key, double fallback) const {
  NARROWS_TRY(option, find(key));
  if (option == nullptr) return fallback;
  double value = 0;
  if (!parseWhole(option->value, value) || !std::isfinite(value)) {
    return errorAt(key, "expected a number");
  }
  return value;
}

Result<std::string> DarknetSection::text(std::string_view key, std::string_view fallback) const {
  NARROWS_TRY(option, find(key));
  return option == nullptr ? std::string(fallback) : option->value;
}

Result<std::vector<double>> DarknetSection::numbers(std::string_view key) const {
  NARROWS_TRY(option, find(key));
  std::vector<double> values;
  if (option == nullptr) return values;
  for (std::string_view part : splitList(option->value)) {
    double value = 0;
    if (!parseWhole(part, value) || !std::isfinite(value)) {
      return errorAt(key, "expected numbers separated by commas");
    }
    values.push_back(value);
  }
  return values;
}

Result<std::vector<std::int64_t>> DarknetSection::integers(std::string_view key) const {
  NARROWS_TRY(option, find(key));
  std::vector<std::int64_t> values;
  if (option == nullptr) return values;
  for (std::string_view part : splitList(option->value)) {
    std::int64_t value = 0;
    if (!parseWhole(part, value) || value < -1000000 || value > 1000000) {
      return errorAt(key, "expected whole numbers separated by commas");
    }
    values.push_back(value);
  }
  return values;
}

Result<std::vector<DarknetSection>> parseDarknetCfg(std::string_view text) {
  std::vector<DarknetSection> sections;
  std::size_t options = 0;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string line = withoutSpace(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++number;
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      if (line.back() != ']' || line.size() < 3) {
        return makeError("line {}: {}, expected [section]", number, inQuotes(line));
      }
      if (sections.size() == kMaxSections) {
        return makeError("line {}: more than {} sections", number, kMaxSections);
      }
      sections.emplace_back(line.substr(1, line.size() - 2), number);
      options = 0;
      continue;
    }
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos || equals == 0) {
      return makeError("line {}: {}, expected [section] or key = value", number, inQuotes(line));
    }
    if (sections.empty()) {
      return makeError("line {}: {} stands before the first section", number, inQuotes(line));
    }
    if (++options > kMaxOptions)
      return makeError("line {}: more than {} keys", number, kMaxOptions);
    sections.back().addOption(line.substr(0, equals), line.substr(equals + 1), number);
  }
  return sections;
}

}  // namespace narrows
