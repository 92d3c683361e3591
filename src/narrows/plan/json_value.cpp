#include "narrows/plan/json_value.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

namespace narrows {
namespace {

/// Builds a JsonValue from the parser's events and stops it at the limits.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  bool null() override { return put({}); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(std::int64_t value) override { return put(value); }
  bool number_unsigned(std::uint64_t value) override {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return stop("a number is too large");
    }
    return put(static_cast<std::int64_t>(value));
  }
  bool number_float(double value, const std::string&) override {
    if (!std::isfinite(value)) return stop("a number is too large");
    return put(value);
  }
  bool string(std::string& value) override { return put(std::move(value)); }
  bool binary(nlohmann::json::binary_t&) override { return stop("binary data"); }
  bool start_object(std::size_t) override { return open(JsonValue(JsonValue::Object())); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(JsonValue(JsonValue::Array())); }
  bool end_array() override { return close(); }
  bool key(std::string& value) override {
    if (!open_.back().keys.insert(value).second) {
      return stop(fmt::format("key \"{}\" occurs twice", value.substr(0, 200)));
    }
    open_.back().key = std::move(value);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception& exception) override {
    position_ = position;
    // "[json.exception.parse_error.101] parse error at line 1, column 2: TEXT": the text only.
    std::string_view what = exception.what();
    const std::size_t colon = what.find("column ");
    if (colon != std::string_view::npos && what.find(": ", colon) != std::string_view::npos) {
      what.remove_prefix(what.find(": ", colon) + 2);
    }
    return stop(std::string(what.substr(0, 300)));
  }

  const std::optional<std::string>& problem() const { return problem_; }
  std::optional<std::size_t> position() const { return position_; }
  JsonValue takeRoot() { return std::move(root_); }

 private:
  struct Open {
    JsonValue value;
    std::string key;
    std::set<std::string> keys;
  };

  bool stop(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  bool put(JsonValue value) {
    if (++count_ > limits_.most_values) {
      return stop(fmt::format("more than {} values", limits_.most_values));
    }
    if (open_.empty()) {
      root_ = std::move(value);
      return true;
    }
    Open& parent = open_.back();
    if (auto* array = std::get_if<JsonValue::Array>(&parent.value.data())) {
      array->push_back(std::move(value));
    } else {
      std::get<JsonValue::Object>(parent.value.data())
          .emplace_back(std::move(parent.key), std::move(value));
    }
    return true;
  }

  bool open(JsonValue value) {
    if (open_.size() >= limits_.deepest) {
      return stop(fmt::format("nested deeper than {}", limits_.deepest));
    }
    open_.push_back({std::move(value), {}, {}});
    return true;
  }

  bool close() {
    JsonValue value = std::move(open_.back().value);
    open_.pop_back();
    return put(std::move(value));
  }

  JsonLimits limits_;
  std::vector<Open> open_;
  JsonValue root_;
  std::size_t count_ = 0;
  std::optional<std::string> problem_;
  std::optional<std::size_t> position_;
};

std::string placeOf(std::string_view text, std::size_t position) {
  const std::string_view read = text.substr(0, std::min(position, text.size()));
  const auto line = 1 + std::count(read.begin(), read.end(), '\n');
  const std::size_t start = read.rfind('\n') == std::string_view::npos ? 0 : read.rfind('\n') + 1;
  return fmt::format("line {}, column {}", line, read.size() - start);
}

void writeString(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

bool isPlain(const JsonValue& value) {
  return !std::holds_alternative<JsonValue::Array>(value.data()) &&
         !std::holds_alternative<JsonValue::Object>(value.data());
}

/// Whether an array stands on one line: plain values, or boxes of them.
bool isFlat(const JsonValue& value) {
  if (isPlain(value)) return true;
  const auto* array = std::get_if<JsonValue::Array>(&value.data());
  return array != nullptr && std::all_of(array->begin(), array->end(), isPlain);
}

void write(std::string& out, const JsonValue& value, std::size_t indent);

void writeArray(std::string& out, const JsonValue::Array& array, std::size_t indent) {
  const bool one_line = std::all_of(array.begin(), array.end(), isFlat);
  out += '[';
  for (std::size_t i = 0; i < array.size(); ++i) {
    if (i > 0) out += one_line ? ", " : ",";
    if (!one_line) out.append("\n").append(indent + 2, ' ');
    write(out, array[i], indent + 2);
  }
  if (!one_line) out.append("\n").append(indent, ' ');
  out += ']';
}

void writeObject(std::string& out, const JsonValue::Object& object, std::size_t indent) {
  out += '{';
  for (std::size_t i = 0; i < object.size(); ++i) {
    if (i > 0) out += ',';
    out.append("\n").append(indent + 2, ' ');
    writeString(out, object[i].first);
    out += ": ";
    write(out, object[i].second, indent + 2);
  }
  if (!object.empty()) out.append("\n").append(indent, ' ');
  out += '}';
}

void writeNumber(std::string& out, double number) {
  NARROWS_ASSERT(std::isfinite(number));
  const std::string text = fmt::format("{}", number);
  out += text;
  // Keeps whole numbers apart from integers.
  if (text.find_first_of(".e") == std::string::npos) out += ".0";
}

void write(std::string& out, const JsonValue& value, std::size_t indent) {
  const JsonValue::Data& data = value.data();
  if (const auto* boolean = std::get_if<bool>(&data)) {
    out += *boolean ? "true" : "false";
  } else if (const auto* integer = std::get_if<std::int64_t>(&data)) {
    out += fmt::format("{}", *integer);
  } else if (const auto* number = std::get_if<double>(&data)) {
    writeNumber(out, *number);
  } else if (const auto* text = std::get_if<std::string>(&data)) {
    writeString(out, *text);
  } else if (const auto* array = std::get_if<JsonValue::Array>(&data)) {
    writeArray(out, *array, indent);
  } else if (const auto* object = std::get_if<JsonValue::Object>(&data)) {
    writeObject(out, *object, indent);
  } else {
    out += "null";
  }
}

std::string describe(const JsonValue& value) {
  if (const auto* text = std::get_if<std::string>(&value.data())) {
    return fmt::format("\"{}\"", text->substr(0, 100));
  }
  if (std::holds_alternative<JsonValue::Array>(value.data())) return "an array";
  if (std::holds_alternative<JsonValue::Object>(value.data())) return "an object";
  return formatJson(value);
}

}  // namespace

Result<JsonValue> parseJson(std::string_view text, std::string_view origin,
                            const JsonLimits& limits) {
  if (text.size() > limits.most_bytes) {
    return makeError("{}: {} bytes, at most {}", origin, text.size(), limits.most_bytes);
  }
  Builder builder(limits);
  bool whole = false;
  try {
    whole = nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  } catch (const nlohmann::json::exception& exception) {
    return makeError("{}: {}", origin, exception.what());
  }
  if (!whole) {
    const std::string place =
        builder.position() ? fmt::format("{}: ", placeOf(text, *builder.position())) : "";
    return makeError("{}: {}{}", origin, place, builder.problem().value_or("not JSON"));
  }
  return builder.takeRoot();
}

std::string formatJson(const JsonValue& value) {
  std::string out;
  write(out, value, 0);
  if (!isPlain(value)) out += '\n';
  return out;
}

Error JsonCursor::expected(std::string_view what) const {
  return makeError("{}: expected {}, found {}", path_, what, describe(*value_));
}

const JsonValue* JsonCursor::find(std::string_view key) const {
  const auto* object = std::get_if<JsonValue::Object>(&value_->data());
  if (object == nullptr) return nullptr;
  const auto found =
      std::find_if(object->begin(), object->end(), [&](const auto& m) { return m.first == key; });
  return found == object->end() ? nullptr : &found->second;
}

Status JsonCursor::expectKeys(std::initializer_list<std::string_view> keys) const {
  const auto* object = std::get_if<JsonValue::Object>(&value_->data());
  if (object == nullptr) return expected("an object");
  for (const auto& member : *object) {
    if (std::find(keys.begin(), keys.end(), member.first) == keys.end()) {
      return makeError("{}: unknown key \"{}\"; known are {}", path_, member.first.substr(0, 100),
                       fmt::join(keys, ", "));
    }
  }
  return {};
}

bool JsonCursor::has(std::string_view key) const {
  return find(key) != nullptr;
}

Result<JsonCursor> JsonCursor::at(std::string_view key) const {
  if (!std::holds_alternative<JsonValue::Object>(value_->data())) return expected("an object");
  const JsonValue* found = find(key);
  if (found == nullptr) return makeError("{}: key \"{}\" is missing", path_, key);
  return JsonCursor(*found, fmt::format("{}{}{}", path_, root_ ? ": " : ".", key), false);
}

Result<std::vector<JsonCursor>> JsonCursor::items(std::size_t most) const {
  const auto* array = std::get_if<JsonValue::Array>(&value_->data());
  if (array == nullptr) return expected("an array");
  if (array->size() > most) {
    return makeError("{}: {} elements, at most {}", path_, array->size(), most);
  }
  std::vector<JsonCursor> items;
  items.reserve(array->size());
  for (std::size_t i = 0; i < array->size(); ++i) {
    items.push_back(JsonCursor((*array)[i], fmt::format("{}[{}]", path_, i), false));
  }
  return items;
}

Result<std::string> JsonCursor::text(std::size_t longest) const {
  const auto* text = std::get_if<std::string>(&value_->data());
  if (text == nullptr) return expected("a string");
  if (text->size() > longest) {
    return makeError("{}: a string of {} bytes, at most {}", path_, text->size(), longest);
  }
  return *text;
}

Result<std::int64_t> JsonCursor::integer(std::int64_t least, std::int64_t most) const {
  const auto* integer = std::get_if<std::int64_t>(&value_->data());
  if (integer == nullptr || *integer < least || *integer > most) {
    return expected(fmt::format("an integer from {} to {}", least, most));
  }
  return *integer;
}

Result<double> JsonCursor::number() const {
  if (const auto* number = std::get_if<double>(&value_->data())) return *number;
  if (const auto* integer = std::get_if<std::int64_t>(&value_->data())) {
    return static_cast<double>(*integer);
  }
  return expected("a number");
}

}  // namespace narrows
