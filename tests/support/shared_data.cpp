#include "tests/support/shared_data.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "narrows/base/argument_vector.h"

extern char** environ;  // NOLINT(*-non-const-global-variables): POSIX's own.

namespace narrows::test {
namespace {

namespace fs = std::filesystem;

/// An advisory lock on a file, held until destruction or the end of the process.
class FileLock {
 public:
  static Result<FileLock> acquire(const fs::path& path) {
    FileLock lock(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
    if (lock.descriptor_ < 0) return makeError("{}: {}", path.string(), std::strerror(errno));
    while (::flock(lock.descriptor_, LOCK_EX) != 0) {
      if (errno != EINTR) return makeError("{}: {}", path.string(), std::strerror(errno));
    }
    return lock;
  }
  FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

Status runTar(const fs::path& archive, const fs::path& into) {
  const std::vector<std::string> words = {"tar", "-xzf", archive.string(), "-C", into.string()};
  const std::vector<char*> arguments = argumentVector(words);
  pid_t child = 0;
  const int spawned = ::posix_spawnp(&child, "tar", nullptr, nullptr, arguments.data(), environ);
  if (spawned != 0) return makeError("tar: {}", std::strerror(spawned));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return makeError("tar: {}", std::strerror(errno));
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return makeError("{}: tar could not unpack it", archive.string());
  }
  return {};
}

fs::path cacheDirectory() {
  if (const char* cache = std::getenv("NARROWS_CACHE")) return cache;
  if (const char* cache = std::getenv("XDG_CACHE_HOME")) {
    return fs::path(cache) / "narrows-test-data";
  }
  const char* home = std::getenv("HOME");
  const fs::path base = home != nullptr ? fs::path(home) / ".cache" : fs::temp_directory_path();
  return base / "narrows-test-data";
}

Result<fs::path> unpackShared(const fs::path& relative) {
  const auto shared = sharedData();
  if (!shared) return makeError("{}: no shared data", relative.string());
  return unpackOnce(*shared / relative, cacheDirectory());
}

}  // namespace

std::optional<fs::path> sharedData() {
  const char* chosen = std::getenv("NARROWS_SHARED");
  const fs::path path = chosen != nullptr ? fs::path(chosen)
                                          : fs::path(NARROWS_SOURCE_DIR) / ".." / "shared" / "data";
  std::error_code error;
  if (!fs::is_directory(path, error)) return std::nullopt;
  return fs::weakly_canonical(path, error);
}

Result<fs::path> unpackOnce(const fs::path& archive, const fs::path& cache) {
  std::error_code error;
  const auto size = fs::file_size(archive, error);
  if (error) return makeError("{}: {}", archive.string(), error.message());
  const std::string folder = archive.stem().stem().string();
  const fs::path home = cache / fmt::format("{}-{}", folder, size);
  if (fs::is_directory(home, error)) return home / folder;

  fs::create_directories(cache, error);
  if (error) return makeError("{}: {}", cache.string(), error.message());
  NARROWS_TRY(lock, FileLock::acquire(cache / (folder + ".lock")));
  static_cast<void>(lock);
  if (fs::is_directory(home, error)) return home / folder;

  // Only the holder of the lock is here, so what lies at `partial` is left from a killed process.
  const fs::path partial = cache / (folder + ".partial");
  fs::remove_all(partial, error);
  fs::create_directory(partial, error);
  if (error) return makeError("{}: {}", partial.string(), error.message());
  NARROWS_CHECK(runTar(archive, partial));
  if (!fs::is_directory(partial / folder, error)) {
    return makeError("{}: holds no folder {}", archive.string(), folder);
  }
  fs::rename(partial, home, error);
  if (error) return makeError("{}: {}", home.string(), error.message());
  return home / folder;
}

Result<fs::path> unpackedDataset(std::string_view name) {
  return unpackShared(fs::path("datasets") / fmt::format("{}.tar.gz", name));
}

Result<fs::path> unpackedArchive(std::string_view name) {
  return unpackShared(fmt::format("{}.tar.gz", name));
}

}  // namespace narrows::test
