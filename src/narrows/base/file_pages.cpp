#include "narrows/base/file_pages.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace narrows {

Result<FilePages> FilePages::open(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return makeError("{}: cannot open: {}", path.string(), std::system_category().message(errno));
  }
  // Reading ahead would take memory that nobody counts.
  ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM);
  return FilePages(descriptor);
}

FilePages::~FilePages() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void FilePages::drop(std::size_t offset, std::size_t size) const {
  if (size == 0) return;
  ::posix_fadvise(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(size),
                  POSIX_FADV_DONTNEED);
}

namespace {

// madvise takes pointers that are not to const, but changes nothing that is read.
void advise(std::uintptr_t begin, std::uintptr_t end, int advice) {
  if (end > begin) ::madvise(reinterpret_cast<std::byte*>(begin), end - begin, advice);
}

std::uintptr_t pageBytes() {
  return static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

void readOnlyTouchedPages(ByteSpan mapped) {
  const auto first = reinterpret_cast<std::uintptr_t>(mapped.data());
  advise(first / pageBytes() * pageBytes(), first + mapped.size(), MADV_RANDOM);
}

void releasePages(ByteSpan mapped) {
  const std::uintptr_t page = pageBytes();
  const auto first = reinterpret_cast<std::uintptr_t>(mapped.data());
  advise((first + page - 1) / page * page, (first + mapped.size()) / page * page, MADV_DONTNEED);
}

}  // namespace narrows
