#include "narrows/engine/executor/mapped_pages.h"

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

namespace narrows::executor {
namespace {

std::uintptr_t addressOf(const std::byte* data) {
  return reinterpret_cast<std::uintptr_t>(data);
}

}  // namespace

// A line of /proc/self/maps is "BEGIN-END PERMISSIONS OFFSET DEVICE INODE PATH" (proc(5)).
bool liesInMappedFile(ByteSpan bytes) {
  if (bytes.empty()) return false;
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    std::istringstream fields(line);
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    std::string permissions, offset, device;
    std::uint64_t inode = 0;
    fields >> std::hex >> begin >> dash >> end >> permissions >> offset >> device >> std::dec >>
        inode;
    if (!fields || addressOf(bytes.data()) < begin || addressOf(bytes.data()) >= end) continue;
    return addressOf(bytes.data()) + bytes.size() <= end && permissions.starts_with("r-") &&
           inode != 0;
  }
  return false;
}

}  // namespace narrows::executor
