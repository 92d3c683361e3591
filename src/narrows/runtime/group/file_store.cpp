#include "narrows/runtime/group/file_store.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <set>
#include <system_error>

#include "narrows/bundle/archive.h"
#include "narrows/bundle/sha256.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPartial = ".partial";
constexpr std::string_view kActive = "active-";

bool isHash(const std::string& name) {
  return name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// Names and sizes of the complete files.
std::map<std::string, std::uint64_t> heldFiles(const fs::path& directory) {
  std::map<std::string, std::uint64_t> held;
  std::error_code code;
  for (fs::directory_iterator at(directory, code), end; !code && at != end; at.increment(code)) {
    const std::string name = at->path().filename().string();
    std::error_code ignored;
    if (isHash(name) && at->is_regular_file(ignored)) held[name] = at->file_size(ignored);
  }
  return held;
}

Status appendTo(const fs::path& path, bool anew, ByteSpan bytes) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      std::fopen(path.c_str(), anew ? "wbe" : "abe"), std::fclose);
  if (file == nullptr) return makeError("{}: cannot open it for writing", path.string());
  if (std::fwrite(bytes.data(), 1, bytes.size(), file.get()) != bytes.size() ||
      std::fflush(file.get()) != 0) {
    return makeError("{}: cannot write {} bytes", path.string(), bytes.size());
  }
  return {};
}

}  // namespace

Result<FileStore> FileStore::open(const fs::path& directory, std::uint64_t limit) {
  if (directory.empty()) {
    NARROWS_TRY(temporary, TemporaryDirectory::create("narrows-worker"));
    const fs::path path = temporary.path();
    return FileStore(std::move(temporary), path, limit);
  }
  std::error_code code;
  fs::create_directories(directory, code);
  if (code) return makeError("{}: {}", directory.string(), code.message());
  // What a worker left that ended while it was at it.
  for (fs::directory_iterator at(directory, code), end; !code && at != end; at.increment(code)) {
    const std::string name = at->path().filename().string();
    std::error_code ignored;
    if (name.starts_with(kActive) || name.ends_with(kPartial)) fs::remove_all(at->path(), ignored);
  }
  return FileStore(std::nullopt, directory, limit);
}

Result<std::vector<std::string>> FileStore::missing(std::span<const ManifestFile> files) {
  const std::map<std::string, std::uint64_t> held = heldFiles(directory_);
  std::set<std::string> wanted;
  std::vector<std::string> missing;
  std::uint64_t total = 0;
  for (const ManifestFile& file : files) {
    if (!isHash(file.sha256)) return makeError("{}: not a SHA-256", file.path);
    if (!wanted.insert(file.sha256).second) continue;
    if (file.size > limit_ - total) {
      return makeError("the files need more than the {} bytes that this worker may store", limit_);
    }
    total += file.size;
    const auto found = held.find(file.sha256);
    if (found != held.end() && found->second == file.size) continue;
    missing.push_back(file.sha256);
  }
  std::uint64_t others = 0;
  for (const auto& [name, size] : held) {
    if (!wanted.contains(name)) others += size;
  }
  for (const auto& [name, size] : held) {
    if (others <= limit_ - total) break;
    if (wanted.contains(name)) continue;
    std::error_code ignored;
    fs::remove(pathOf(name), ignored);
    others -= size;
  }
  partial_.clear();
  for (const ManifestFile& file : files) {
    if (std::find(missing.begin(), missing.end(), file.sha256) != missing.end()) {
      partial_[file.sha256] = {file.size, 0};
    }
  }
  return missing;
}

Status FileStore::store(const std::string& sha256, std::uint64_t size, std::uint64_t offset,
                        ByteSpan bytes) {
  const auto found = partial_.find(sha256);
  if (found == partial_.end()) return makeError("{}: nobody announced this file", sha256);
  Partial& partial = found->second;
  if (offset == 0) partial.held = 0;
  if (size != partial.size || offset != partial.held || bytes.size() > size - offset) {
    return makeError("{}: bytes [{}, {}) of {}, expected those from {} on of {}", sha256, offset,
                     offset + bytes.size(), size, partial.held, partial.size);
  }
  const fs::path path = directory_ / (sha256 + std::string(kPartial));
  NARROWS_CHECK(appendTo(path, offset == 0, bytes));
  partial.held += bytes.size();
  if (partial.held < partial.size) return {};
  partial_.erase(found);
  std::error_code code;
  {
    NARROWS_TRY(file, MappedFile::open(path));
    if (narrows::sha256(file->bytes()) != sha256) {
      fs::remove(path, code);
      return makeError("{}: the file that came has another SHA-256", sha256);
    }
  }
  fs::rename(path, pathOf(sha256), code);
  if (code) return makeError("{}: {}", path.string(), code.message());
  return {};
}

Result<fs::path> FileStore::assemble(std::string_view manifest,
                                     std::span<const ManifestFile> files) {
  const fs::path directory = directory_ / fmt::format("{}{}", kActive, ++assembled_);
  std::error_code code;
  fs::create_directory(directory, code);
  if (code) return makeError("{}: {}", directory.string(), code.message());
  NARROWS_CHECK(writeFileAtomically(directory / "bundle.json", asBytes(manifest)));
  for (const ManifestFile& file : files) {
    NARROWS_CHECK(checkMemberName(file.path));
    if (!fs::is_regular_file(pathOf(file.sha256), code)) continue;
    const fs::path path = directory / fs::path(file.path);
    fs::create_directories(path.parent_path(), code);
    if (!code) fs::create_hard_link(pathOf(file.sha256), path, code);
    if (code) return makeError("{}: {}", file.path, code.message());
  }
  return directory;
}

}  // namespace narrows
