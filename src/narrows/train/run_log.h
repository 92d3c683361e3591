#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "narrows/base/result.h"

namespace narrows {

using LogValue = std::variant<double, std::int64_t, std::string>;
using LogField = std::pair<std::string_view, LogValue>;

/// JSON lines in a file, each flushed as it is written.
class RunLog {
 public:
  /// Goes on behind the first `bytes` of the file and forgets what follows them; 0 begins anew. An
  /// empty path writes nothing.
  static Result<RunLog> open(const std::filesystem::path& path, std::uint64_t bytes = 0);

  /// One object; numbers that are not finite become null.
  Status write(std::initializer_list<LogField> fields);
  /// Length of the file.
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::filesystem::path path_;
  std::uint64_t bytes_ = 0;
};

}  // namespace narrows
