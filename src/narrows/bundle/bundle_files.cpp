#include "narrows/bundle/bundle_files.h"

#include <algorithm>
#include <system_error>

namespace narrows {

namespace fs = std::filesystem;

Result<BundleFiles> BundleFiles::open(const fs::path& path) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (!fs::exists(status)) return makeError("there is no such file or directory");
  BundleFiles files;
  if (fs::is_directory(status)) {
    files.directory_ = path;
    return files;
  }
  files.archive_path_ = path;
  NARROWS_TRY(archive, MappedFile::open(path));
  NARROWS_TRY(members, readArchive(archive));
  files.archive_ = archive;
  files.members_ = std::move(members);
  return files;
}

Result<std::shared_ptr<const MappedFile>> BundleFiles::file(const std::string& name) const {
  if (isArchive()) {
    const auto found = members_.find(name);
    if (found == members_.end()) return makeError("{}: not in the archive", name);
    return found->second;
  }
  fs::path path = directory_;
  for (const fs::path& part : fs::path(name)) {
    path /= part;
    std::error_code code;
    if (fs::is_symlink(fs::symlink_status(path, code))) {
      return makeError("{}: a link; a bundle holds files only", name);
    }
  }
  auto file = MappedFile::open(path);
  if (!file.ok()) return makeError("{}: missing or not a readable file", name);
  return std::move(*file);
}

BundleFiles::Place BundleFiles::placeOf(const std::string& name) const {
  if (!isArchive()) return {directory_ / name, 0};
  const ByteSpan member = members_.at(name)->bytes();
  return {archive_path_, static_cast<std::size_t>(member.data() - archive_->bytes().data())};
}

Result<std::vector<std::string>> BundleFiles::names() const {
  std::vector<std::string> names;
  for (const auto& member : members_) names.push_back(member.first);
  if (!isArchive()) {
    std::error_code code;
    for (fs::recursive_directory_iterator at(directory_, code), end; !code && at != end;
         at.increment(code)) {
      const fs::file_status status = at->symlink_status(code);
      if (fs::is_directory(status)) continue;
      names.push_back(at->path().lexically_relative(directory_).generic_string());
      if (!fs::is_regular_file(status)) {
        return makeError("{}: not a file; a bundle holds files only", names.back());
      }
    }
    if (code) return makeError("cannot list the directory: {}", code.message());
  }
  names.erase(std::remove(names.begin(), names.end(), kManifestPath), names.end());
  return names;
}

}  // namespace narrows
