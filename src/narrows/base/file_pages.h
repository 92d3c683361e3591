#pragma once

#include <cstddef>
#include <filesystem>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"

namespace narrows {

/// The system's cache of one file, for a reader that knows what it does not read again. Only
/// advice: nothing that is read changes.
class FilePages {
 public:
  static Result<FilePages> open(const std::filesystem::path& path);

  FilePages(FilePages&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  FilePages& operator=(FilePages&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~FilePages();

  /// Gives back the whole pages among bytes [offset, offset + size) that no process has mapped in.
  void drop(std::size_t offset, std::size_t size) const;

 private:
  explicit FilePages(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

/// Without it, systems read a few megabytes around a page of a mapped file that is touched first.
void readOnlyTouchedPages(ByteSpan mapped);

/// Takes the whole pages among bytes of a read-only mapping of a file out of this process; they
/// come back when they are touched.
void releasePages(ByteSpan mapped);

}  // namespace narrows
