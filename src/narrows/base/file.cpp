#include "narrows/base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace narrows {
namespace {

/// Closes a descriptor at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

Error systemError(const std::filesystem::path& path, std::string_view doing) {
  return makeError("{}: cannot {}: {}", path.string(), doing,
                   std::system_category().message(errno));
}

Result<std::size_t> regularFileSize(const Descriptor& file, const std::filesystem::path& path) {
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return systemError(path, "stat");
  if (!S_ISREG(info.st_mode)) return makeError("{}: not a regular file", path.string());
  return static_cast<std::size_t>(info.st_size);
}

Status readInto(const std::filesystem::path& path, std::size_t limit, auto& buffer) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return systemError(path, "open");
  NARROWS_TRY(size, regularFileSize(file, path));
  if (size > limit)
    return makeError("{}: {} bytes, at most {} are accepted", path.string(), size, limit);
  buffer.resize(size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(file.get(), buffer.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return systemError(path, "read");
    if (got == 0) return makeError("{}: became shorter while it was read", path.string());
    done += static_cast<std::size_t>(got);
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::filesystem::path& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return systemError(path, "open");
  NARROWS_TRY(size, regularFileSize(file, path));
  if (size == 0) return std::shared_ptr<const MappedFile>(new MappedFile(nullptr, 0));
  auto* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (mapped == MAP_FAILED) return systemError(path, "map");
  return std::shared_ptr<const MappedFile>(
      new MappedFile(static_cast<const std::byte*>(mapped), size));
}

std::shared_ptr<const MappedFile> MappedFile::part(std::shared_ptr<const MappedFile> whole,
                                                   std::size_t offset, std::size_t size) {
  NARROWS_ASSERT(offset <= whole->size_ && size <= whole->size_ - offset);
  std::shared_ptr<MappedFile> part(new MappedFile(whole->data_ + offset, size));
  part->whole_ = std::move(whole);
  return part;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr && whole_ == nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

Result<ByteVector> readFile(const std::filesystem::path& path, std::size_t limit) {
  ByteVector bytes;
  NARROWS_CHECK(readInto(path, limit, bytes));
  return bytes;
}

Result<std::string> readTextFile(const std::filesystem::path& path, std::size_t limit) {
  std::string text;
  NARROWS_CHECK(readInto(path, limit, text));
  return text;
}

Status writeFileAtomically(const std::filesystem::path& path, ByteSpan bytes) {
  std::string temporary = path.string() + ".XXXXXX";
  Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (file.get() < 0) return systemError(path, "create a temporary file beside it");
  auto fail = [&](std::string_view doing) -> Status {
    Error error = systemError(path, doing);
    ::unlink(temporary.c_str());
    return error;
  };
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail("write");
    done += static_cast<std::size_t>(put);
  }
  if (::fchmod(file.get(), 0644) != 0) return fail("set the mode of");
  if (::fsync(file.get()) != 0) return fail("sync");
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail("rename the temporary file to");
  return {};
}

Result<TemporaryDirectory> TemporaryDirectory::create(std::string_view prefix) {
  std::error_code code;
  std::filesystem::path base = std::filesystem::temp_directory_path(code);
  if (code) return makeError("no directory for temporary files: {}", code.message());
  std::string name = (base / (std::string(prefix) + ".XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) return systemError(name, "create");
  return TemporaryDirectory(std::filesystem::path(name));
}

TemporaryDirectory::~TemporaryDirectory() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace narrows
