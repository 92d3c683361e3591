#include "narrows/base/direct_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace narrows {
namespace {

Error failure(const std::string& path, std::string_view doing) {
  return makeError("{}: cannot {}: {}", path, doing, std::system_category().message(errno));
}

}  // namespace

Result<DirectFile> DirectFile::open(const std::filesystem::path& path) {
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
  const bool cached = descriptor < 0 && errno == EINVAL;  // such as files in memory
  if (cached) descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return failure(path.string(), "open");
  return DirectFile(descriptor, cached, path.string());
}

DirectFile::~DirectFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::size_t> DirectFile::read(std::size_t offset, std::span<std::byte> to) const {
  NARROWS_ASSERT(offset % kBlock == 0 && to.size() % kBlock == 0 &&
                 reinterpret_cast<std::uintptr_t>(to.data()) % kBlock == 0);
  std::size_t done = 0;
  while (done < to.size()) {
    const ssize_t got =
        ::pread(descriptor_, to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure(path_, "read");
    done += static_cast<std::size_t>(got);
    // A part of a block is the file's end; there is no reading on from the middle of one.
    if (got == 0 || done % kBlock != 0) break;
  }
  if (cached_) {
    ::posix_fadvise(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(to.size()),
                    POSIX_FADV_DONTNEED);
  }
  return done;
}

}  // namespace narrows
