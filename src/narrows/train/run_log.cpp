#include "narrows/train/run_log.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>

namespace narrows {
namespace {

std::string jsonText(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string formatted(const LogValue& value) {
  if (const auto* number = std::get_if<double>(&value)) {
    return std::isfinite(*number) ? fmt::format("{}", *number) : "null";
  }
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *integer);
  return jsonText(std::get<std::string>(value));
}

}  // namespace

Result<RunLog> RunLog::open(const std::filesystem::path& path, std::uint64_t bytes) {
  RunLog log;
  log.path_ = path;
  log.bytes_ = bytes;
  if (path.empty()) return log;
  std::error_code error;
  if (bytes == 0) {
    std::ofstream(path, std::ios::trunc);
  } else {
    const auto size = std::filesystem::file_size(path, error);
    if (error || size < bytes) return makeError("{}: shorter than the run it logs", path.string());
    std::filesystem::resize_file(path, bytes, error);
  }
  if (error || !std::filesystem::exists(path)) return makeError("cannot write {}", path.string());
  return log;
}

Status RunLog::write(std::initializer_list<LogField> fields) {
  if (path_.empty()) return {};
  std::string line = "{";
  for (const auto& [name, value] : fields) {
    if (line.size() > 1) line += ", ";
    line += jsonText(name) + ": " + formatted(value);
  }
  line += "}\n";
  std::ofstream file(path_, std::ios::app | std::ios::binary);
  file.write(line.data(), static_cast<std::streamsize>(line.size())).flush();
  if (!file) return makeError("cannot write {}", path_.string());
  bytes_ += line.size();
  return {};
}

}  // namespace narrows
