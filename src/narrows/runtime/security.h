#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"

namespace narrows {

/// Files in PEM form. Empty paths mean: not used.
struct TlsFiles {
  /// Own certificate chain and its private key; both or neither.
  std::filesystem::path certificate;
  std::filesystem::path key;
  /// Certificates that the other side's must descend from.
  std::filesystem::path authority;

  bool any() const { return !certificate.empty() || !key.empty() || !authority.empty(); }
};

/// The contents of `TlsFiles`; empty texts for empty paths.
struct TlsMaterial {
  std::string certificate;
  std::string key;
  std::string authority;
};
Result<TlsMaterial> readTlsFiles(const TlsFiles& files);

/// The tokens that callers may show: one on each line of a file, blank lines and lines that start
/// with '#' apart. A token has 16 to 512 printable characters without spaces.
class TokenList {
 public:
  static Result<TokenList> read(const std::filesystem::path& path);
  static Result<TokenList> parse(std::string_view text, std::string_view origin);

  /// Takes time that depends on the lengths alone, not on how much of a token is right.
  bool contains(std::string_view token) const;
  std::size_t size() const { return tokens_.size(); }

 private:
  std::vector<std::string> tokens_;
};

/// The first token of such a file, for the side that shows one.
Result<std::string> readToken(const std::filesystem::path& path);

/// "HOST:PORT", "[V6]:PORT": whether the host is this machine ("localhost", 127.x.x.x, "[::1]").
bool isLoopback(std::string_view address);
/// Fails unless it is a host, a colon and a port of 0 to 65535.
Status checkAddress(std::string_view address);

}  // namespace narrows
