#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "narrows/base/file.h"
#include "narrows/base/result.h"

/// The one-file form of a bundle: POSIX ustar (IEEE Std 1003.1-1988), regular files only.
namespace narrows {

/// Fails on anything but a relative path of 1 to 100 bytes whose parts are neither empty nor "."
/// nor
/// "..", written with "/" and without control characters or backslashes.
Status checkMemberName(std::string_view name);

/// Members of an archive or files of a directory, by name.
using FileMap = std::map<std::string, std::shared_ptr<const MappedFile>>;

/// Writes the files, in order, to `archive`, which must not exist, and syncs it. Owners and times
/// are zero, so that equal files give equal archives. A file may have up to 8 GiB - 1 bytes.
Status writeArchive(
    const std::filesystem::path& archive,
    const std::vector<std::pair<std::string, std::filesystem::path>>& names_and_files);

/// Finds all members of a mapped archive; they share its mapping. Strict: wrong checksums, other
/// kinds of entries (links, directories, devices), names that `checkMemberName` refuses, names that
/// occur twice, sizes beyond the end, a missing end mark, and anything behind it are errors that
/// name the offset.
Result<FileMap> readArchive(const std::shared_ptr<const MappedFile>& archive);

}  // namespace narrows
