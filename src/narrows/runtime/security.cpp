#include "narrows/runtime/security.h"

#include <algorithm>
#include <charconv>

#include "narrows/base/file.h"

namespace narrows {
namespace {

constexpr std::size_t kMaxPem = std::size_t{1} << 20;
constexpr std::size_t kMinToken = 16;
constexpr std::size_t kMaxToken = 512;

Status readPem(const std::filesystem::path& path, std::string& text) {
  if (path.empty()) return {};
  NARROWS_TRY(read, readTextFile(path, kMaxPem));
  if (read.find("-----BEGIN ") == std::string::npos) {
    return makeError("{}: expected a PEM file", path.string());
  }
  text = std::move(read);
  return {};
}

/// Compares all characters whatever they are.
bool equalInConstantTime(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  return difference == 0;
}

std::string_view hostOf(std::string_view address) {
  return address.substr(0, address.rfind(':'));
}

}  // namespace

Result<TlsMaterial> readTlsFiles(const TlsFiles& files) {
  if (files.certificate.empty() != files.key.empty()) {
    return makeError("a certificate and its key come together; one is missing");
  }
  TlsMaterial material;
  NARROWS_CHECK(readPem(files.certificate, material.certificate));
  NARROWS_CHECK(readPem(files.key, material.key));
  NARROWS_CHECK(readPem(files.authority, material.authority));
  return material;
}

Result<TokenList> TokenList::read(const std::filesystem::path& path) {
  NARROWS_TRY(text, readTextFile(path, kMaxPem));
  return parse(text, path.string());
}

Result<TokenList> TokenList::parse(std::string_view text, std::string_view origin) {
  TokenList list;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    const bool printable =
        std::all_of(line.begin(), line.end(), [](char c) { return c > ' ' && c <= '~'; });
    if (!printable || line.size() < kMinToken || line.size() > kMaxToken) {
      return makeError("{}:{}: expected a token of {} to {} printable characters", origin, number,
                       kMinToken, kMaxToken);
    }
    list.tokens_.emplace_back(line);
  }
  if (list.tokens_.empty()) return makeError("{}: holds no token", origin);
  return list;
}

bool TokenList::contains(std::string_view token) const {
  bool found = false;
  for (const std::string& known : tokens_) found |= equalInConstantTime(known, token);
  return found;
}

Result<std::string> readToken(const std::filesystem::path& path) {
  NARROWS_TRY(text, readTextFile(path, kMaxPem));
  NARROWS_TRY(list, TokenList::parse(text, path.string()));
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (list.contains(line)) return line;
    begin = end + 1;
  }
  return makeError("{}: holds no token", path.string());
}

bool isLoopback(std::string_view address) {
  const std::string_view host = hostOf(address);
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

Status checkAddress(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  unsigned port = 0;
  bool ok = colon != std::string_view::npos && colon > 0 && colon + 1 < address.size();
  if (ok) {
    const char* end = address.data() + address.size();
    const auto parsed = std::from_chars(address.data() + colon + 1, end, port);
    ok = parsed.ec == std::errc() && parsed.ptr == end && port <= 65535;
  }
  if (!ok) return makeError("\"{}\" is not an address; expected HOST:PORT", address);
  return {};
}

}  // namespace narrows
