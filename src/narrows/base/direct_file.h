#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "narrows/base/result.h"

namespace narrows {

/// A file that is read past the system's cache, so that what is read takes no memory but the
/// reader's own. Where the file system cannot do that, what has been read leaves the cache at once.
class DirectFile {
 public:
  /// Offsets, sizes and addresses of reads are multiples of it.
  static constexpr std::size_t kBlock = 4096;
  static std::size_t blockBegin(std::size_t offset) { return offset / kBlock * kBlock; }
  static std::size_t blockEnd(std::size_t offset) { return blockBegin(offset + kBlock - 1); }

  static Result<DirectFile> open(const std::filesystem::path& path);

  DirectFile(DirectFile&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)),
        cached_(other.cached_),
        path_(std::move(other.path_)) {}
  DirectFile& operator=(DirectFile&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(cached_, other.cached_);
    path_.swap(other.path_);
    return *this;
  }
  ~DirectFile();

  /// Bytes from `offset` on; fewer than `to` holds where the file ends. Gives how many.
  Result<std::size_t> read(std::size_t offset, std::span<std::byte> to) const;

 private:
  DirectFile(int descriptor, bool cached, std::string path)
      : descriptor_(descriptor), cached_(cached), path_(std::move(path)) {}

  int descriptor_ = -1;
  bool cached_ = false;
  std::string path_;
};

}  // namespace narrows
