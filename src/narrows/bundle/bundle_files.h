#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "narrows/base/file.h"
#include "narrows/base/result.h"
#include "narrows/bundle/archive.h"

namespace narrows {

/// Files of a bundle in either form.
class BundleFiles {
 public:
  static Result<BundleFiles> open(const std::filesystem::path& path);

  bool isArchive() const { return directory_.empty(); }

  /// `name` has passed checkMemberName.
  Result<std::shared_ptr<const MappedFile>> file(const std::string& name) const;

  /// Where the bytes of a file lie: in which file of the system, from which byte on.
  struct Place {
    std::filesystem::path path;
    std::size_t offset = 0;
  };
  /// Of a file that `file` has given.
  Place placeOf(const std::string& name) const;

  /// Names of all files but the manifest; a directory that holds anything else is an error.
  Result<std::vector<std::string>> names() const;

  /// The whole archive; null for a directory.
  const std::shared_ptr<const MappedFile>& archive() const { return archive_; }

 private:
  std::filesystem::path directory_;
  std::filesystem::path archive_path_;
  std::shared_ptr<const MappedFile> archive_;
  FileMap members_;
};

inline constexpr std::string_view kManifestPath = "bundle.json";

}  // namespace narrows
