#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "narrows/base/result.h"

namespace narrows {

/// A JSON document. Objects keep the order of their members.
class JsonValue {
 public:
  using Array = std::vector<JsonValue>;
  using Member = std::pair<std::string, JsonValue>;
  using Object = std::vector<Member>;
  using Data = std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object>;

  JsonValue() : data_(nullptr) {}
  JsonValue(bool value) : data_(value) {}
  JsonValue(std::int64_t value) : data_(value) {}
  JsonValue(double value) : data_(value) {}
  JsonValue(std::string value) : data_(std::move(value)) {}
  JsonValue(std::string_view value) : data_(std::string(value)) {}
  JsonValue(const char* value) : data_(std::string(value)) {}
  JsonValue(Array value) : data_(std::move(value)) {}
  JsonValue(Object value) : data_(std::move(value)) {}

  const Data& data() const { return data_; }
  Data& data() { return data_; }

 private:
  Data data_;
};

struct JsonLimits {
  std::size_t most_bytes = std::size_t{16} << 20;
  std::size_t most_values = 2'000'000;
  std::size_t deepest = 32;
};

/// Parses UTF-8 text. Errors read "ORIGIN: line 3, column 7: ..."; a key that occurs twice in one
/// object, a number beyond 64 bits or double, and text beyond the limits are errors.
Result<JsonValue> parseJson(std::string_view text, std::string_view origin,
                            const JsonLimits& limits = {});

/// Indented text; arrays of plain values stand on one line. Numbers are written so that they read
/// back equal. Asserts that they are finite.
std::string formatJson(const JsonValue& value);

/// A value and the path to it, for reading with checks. Errors read "PATH: expected ...".
class JsonCursor {
 public:
  /// The root of a document that errors call `origin`.
  JsonCursor(const JsonValue& root, std::string origin)
      : value_(&root), path_(std::move(origin)), root_(true) {}

  const std::string& path() const { return path_; }
  Error error(std::string_view what) const { return makeError("{}: {}", path_, what); }

  bool isNull() const { return std::holds_alternative<std::nullptr_t>(value_->data()); }
  /// Fails unless this is an object with no other keys than these.
  Status expectKeys(std::initializer_list<std::string_view> keys) const;
  bool has(std::string_view key) const;
  Result<JsonCursor> at(std::string_view key) const;
  /// Elements of an array of at most `most`.
  Result<std::vector<JsonCursor>> items(std::size_t most) const;
  /// At most `longest` bytes.
  Result<std::string> text(std::size_t longest = 1024) const;
  Result<std::int64_t> integer(std::int64_t least, std::int64_t most) const;
  Result<double> number() const;

 private:
  JsonCursor(const JsonValue& value, std::string path, bool root)
      : value_(&value), path_(std::move(path)), root_(root) {}
  Error expected(std::string_view what) const;
  const JsonValue* find(std::string_view key) const;

  const JsonValue* value_;
  std::string path_;
  bool root_;
};

}  // namespace narrows
