#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "narrows/base/byte_io.h"
#include "narrows/base/file.h"
#include "narrows/base/result.h"
#include "narrows/bundle/manifest.h"

namespace narrows {

/// Files of bundles on a worker, named by their SHA-256, so that what was sent once is not sent
/// again: not for another plan, and not after the worker's restart. One thread at a time.
class FileStore {
 public:
  /// Makes the directory, which belongs to one store at a time; with an empty path a temporary one,
  /// gone with the store. It holds at most `limit` bytes.
  static Result<FileStore> open(const std::filesystem::path& directory, std::uint64_t limit);

  /// Those of the files that it lacks. Makes room for them by forgetting files that are not
  /// among these; an error when that is not enough.
  Result<std::vector<std::string>> missing(std::span<const ManifestFile> files);

  /// Bytes from `offset` on of a file that `missing` named. Parts come in order; the first one
  /// starts the file anew, and the last one is compared with the SHA-256: a file that does not fit
  /// is forgotten.
  Status store(const std::string& sha256, std::uint64_t size, std::uint64_t offset, ByteSpan bytes);

  /// A new bundle directory with those of the files that it holds, and bundle.json beside them;
  /// files are linked, not copied. The caller removes it.
  Result<std::filesystem::path> assemble(std::string_view manifest,
                                         std::span<const ManifestFile> files);

 private:
  FileStore(std::optional<TemporaryDirectory> temporary, std::filesystem::path directory,
            std::uint64_t limit)
      : temporary_(std::move(temporary)), directory_(std::move(directory)), limit_(limit) {}
  std::filesystem::path pathOf(const std::string& sha256) const { return directory_ / sha256; }

  std::optional<TemporaryDirectory> temporary_;
  std::filesystem::path directory_;
  std::uint64_t limit_ = 0;
  /// Announced and not complete: size, and bytes that are there.
  struct Partial {
    std::uint64_t size = 0;
    std::uint64_t held = 0;
  };
  std::map<std::string, Partial> partial_;
  std::size_t assembled_ = 0;
};

}  // namespace narrows
