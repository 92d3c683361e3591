#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"

namespace narrows {

/// A read-only file mapped into memory, unmapped when the last holder lets go.
class MappedFile {
 public:
  /// Fails on a path that cannot be opened or is not a regular file. An empty file maps to no
  /// bytes.
  static Result<std::shared_ptr<const MappedFile>> open(const std::filesystem::path& path);

  /// Bytes [offset, offset + size) of `whole`, which stays mapped as long as they are held; they
  /// must lie inside.
  static std::shared_ptr<const MappedFile> part(std::shared_ptr<const MappedFile> whole,
                                                std::size_t offset, std::size_t size);

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  ByteSpan bytes() const { return {data_, size_}; }

 private:
  MappedFile(const std::byte* data, std::size_t size) : data_(data), size_(size) {}
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::shared_ptr<const MappedFile> whole_;  // set for a part, which does not own the mapping
};

/// The whole file; an error when it is larger than `limit` bytes.
Result<ByteVector> readFile(const std::filesystem::path& path,
                            std::size_t limit = std::size_t{1} << 31);
Result<std::string> readTextFile(const std::filesystem::path& path,
                                 std::size_t limit = std::size_t{64} << 20);

/// Writes to a temporary file beside `path`, syncs it and renames it, so that `path` appears whole
/// or not at all.
Status writeFileAtomically(const std::filesystem::path& path, ByteSpan bytes);

/// A fresh directory under the system's temporary directory, removed with everything in it on
/// destruction.
class TemporaryDirectory {
 public:
  static Result<TemporaryDirectory> create(std::string_view prefix = "narrows");
  TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::move(other.path_)) {
    other.path_.clear();
  }
  TemporaryDirectory& operator=(TemporaryDirectory&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~TemporaryDirectory();
  const std::filesystem::path& path() const { return path_; }

 private:
  explicit TemporaryDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace narrows
