#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"

/// Folders and text files of data sets, in an order that does not depend on the machine.
namespace narrows {

/// Entries that are read from one folder at most.
constexpr std::size_t kMaxEntries = 2'000'000;

bool isFile(const std::filesystem::path& path);
bool isFolder(const std::filesystem::path& path);
/// By extension: .jpg, .jpeg, .png in any case.
bool isPicture(const std::filesystem::path& path);
bool hasPictures(const std::filesystem::path& folder);
bool hasFolders(const std::filesystem::path& folder);

/// Pictures directly in a folder, by name.
Result<std::vector<std::filesystem::path>> listPictures(const std::filesystem::path& folder);
/// Names of the folders directly in a folder, in order; hidden ones are left out.
Result<std::vector<std::string>> listFolders(const std::filesystem::path& folder);

/// Whether `name` is one plain component, so that `folder / name` stays inside the folder.
bool isPlainName(std::string_view name);

/// The lines of a text file without line ends; an error above `max_lines`.
Result<std::vector<std::string>> readLines(const std::filesystem::path& path,
                                           std::size_t max_lines = kMaxEntries);

/// Parts between separators; `separators` in a row count as one when `merge`.
std::vector<std::string_view> splitFields(std::string_view line, std::string_view separators,
                                          bool merge);

/// The split to open: `wanted` when the set has it, else, when nothing is wanted, the first of
/// val, val2017, test, valid, train and then of all that it has. Empty when it has none and none
/// is wanted. Fails on a split that is missing, naming those that are there.
Result<std::string> chooseSplit(const std::filesystem::path& path, const std::string& wanted,
                                const std::vector<std::string>& present);

}  // namespace narrows
