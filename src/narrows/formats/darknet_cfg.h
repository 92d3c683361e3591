#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"

namespace narrows {

/// A "[name]" of a Darknet cfg with the "key = value" lines below it. Errors of the getters name
/// the line.
class DarknetSection {
 public:
  DarknetSection(std::string name, std::size_t line) : name_(std::move(name)), line_(line) {}

  const std::string& name() const { return name_; }
  std::size_t line() const { return line_; }
  void addOption(std::string key, std::string value, std::size_t line) {
    options_.push_back({std::move(key), std::move(value), line});
  }

  bool has(std::string_view key) const;
  /// Fails on text that is no whole number in [least, most]. A key that occurs twice with different
  /// values fails as well.
  Result<std::int64_t> integer(std::string_view key, std::int64_t fallback, std::int64_t least,
                               std::int64_t most) const;
  Result<double> number(std::string_view key, double fallback) const;
  Result<std::string> text(std::string_view key, std::string_view fallback) const;
  /// Numbers separated by commas; none when the key is absent.
  Result<std::vector<double>> numbers(std::string_view key) const;
  Result<std::vector<std::int64_t>> integers(std::string_view key) const;

  /// An error at this section's line, or at the line of one of its keys.
  Error error(std::string_view message) const;
  Error errorAt(std::string_view key, std::string_view message) const;

 private:
  struct Option {
    std::string key;
    std::string value;
    std::size_t line;
  };
  /// Null when absent.
  Result<const Option*> find(std::string_view key) const;

  std::string name_;
  std::size_t line_;
  std::vector<Option> options_;
};

/// The sections of a cfg, in order. White space counts nowhere, as in Darknet; lines that start
/// with
/// '#' or ';' are comments. Fails on a line that is neither, on a key before the first section, and
/// on more sections than any network has.
Result<std::vector<DarknetSection>> parseDarknetCfg(std::string_view text);

}  // namespace narrows
