#pragma once

#include <unistd.h>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>

namespace narrows::test {

/// A memory control group of its own, version 1 or 2 (Linux' cgroups(7)): what processes in it
/// take, the system's cache of files that they read first included, is bounded and counted.
class MemoryGroup {
 public:
  /// Absent where this process may not make one.
  static std::optional<MemoryGroup> create(std::size_t limit) {
    for (const bool unified : {false, true}) {
      const std::filesystem::path root = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
      std::error_code code;
      const bool there = unified ? std::filesystem::exists(root / "cgroup.controllers", code)
                                 : std::filesystem::exists(root / "memory.limit_in_bytes", code);
      if (!there) continue;
      MemoryGroup group(root / ("narrows-" + std::to_string(::getpid())), unified);
      if (!std::filesystem::create_directory(group.path_, code)) continue;
      group.made_ = true;
      if (group.write(unified ? "memory.max" : "memory.limit_in_bytes", limit)) return group;
    }
    return std::nullopt;
  }

  MemoryGroup(MemoryGroup&& other) noexcept
      : path_(std::move(other.path_)), unified_(other.unified_), made_(other.made_) {
    other.made_ = false;
  }
  MemoryGroup& operator=(MemoryGroup&&) = delete;
  ~MemoryGroup() {
    if (made_) ::rmdir(path_.c_str());
  }

  /// A process joins by writing its number here.
  std::filesystem::path processes() const { return path_ / "cgroup.procs"; }
  /// The most bytes so far.
  double peak() const {
    std::ifstream file(path_ / (unified_ ? "memory.peak" : "memory.max_usage_in_bytes"));
    double bytes = 0;
    file >> bytes;
    return bytes;
  }

 private:
  MemoryGroup(std::filesystem::path path, bool unified)
      : path_(std::move(path)), unified_(unified) {}
  bool write(const char* name, std::size_t value) const {
    std::ofstream file(path_ / name);
    file << value << std::flush;
    return file.good();
  }

  std::filesystem::path path_;
  bool unified_;
  bool made_ = false;
};

}  // namespace narrows::test
