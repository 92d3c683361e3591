#include "narrows/data/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "narrows/base/file.h"

namespace narrows {
namespace fs = std::filesystem;

bool isFile(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

bool isFolder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool isPicture(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

namespace {

Result<std::vector<fs::path>> listEntries(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  fs::directory_iterator it(folder, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    if (entries.size() == kMaxEntries) {
      return makeError("{}: more than {} entries", folder.string(), kMaxEntries);
    }
    entries.push_back(it->path());
  }
  if (error) return makeError("{}: {}", folder.string(), error.message());
  std::sort(entries.begin(), entries.end(),
            [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
  return entries;
}

template <class Predicate>
bool anyEntry(const fs::path& folder, Predicate predicate) {
  std::error_code error;
  fs::directory_iterator it(folder, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    if (predicate(it->path())) return true;
  }
  return false;
}

}  // namespace

bool hasPictures(const fs::path& folder) {
  return anyEntry(folder, [](const fs::path& path) { return isPicture(path); });
}

bool hasFolders(const fs::path& folder) {
  return anyEntry(folder, [](const fs::path& path) { return isFolder(path); });
}

Result<std::vector<fs::path>> listPictures(const fs::path& folder) {
  NARROWS_TRY(entries, listEntries(folder));
  std::vector<fs::path> pictures;
  std::copy_if(entries.begin(), entries.end(), std::back_inserter(pictures),
               [](const fs::path& path) { return isPicture(path); });
  return pictures;
}

Result<std::vector<std::string>> listFolders(const fs::path& folder) {
  NARROWS_TRY(entries, listEntries(folder));
  std::vector<std::string> names;
  for (const fs::path& entry : entries) {
    const std::string name = entry.filename().string();
    if (name.front() != '.' && isFolder(entry)) names.push_back(name);
  }
  return names;
}

bool isPlainName(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\\') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

Result<std::vector<std::string>> readLines(const fs::path& path, std::size_t max_lines) {
  NARROWS_TRY(text, readTextFile(path));
  std::vector<std::string> lines;
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) end = text.size();
    if (lines.size() == max_lines) {
      return makeError("{}: more than {} lines", path.string(), max_lines);
    }
    const bool carriage = end > begin && text[end - 1] == '\r';
    lines.push_back(text.substr(begin, end - begin - (carriage ? 1 : 0)));
    begin = end + 1;
  }
  return lines;
}

std::vector<std::string_view> splitFields(std::string_view line, std::string_view separators,
                                          bool merge) {
  std::vector<std::string_view> fields;
  std::size_t begin = 0;
  while (begin <= line.size()) {
    const std::size_t end = std::min(line.find_first_of(separators, begin), line.size());
    if (end > begin || !merge) fields.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return fields;
}

Result<std::string> chooseSplit(const fs::path& path, const std::string& wanted,
                                const std::vector<std::string>& present) {
  const auto has = [&present](std::string_view name) {
    return std::find(present.begin(), present.end(), name) != present.end();
  };
  if (!wanted.empty()) {
    if (has(wanted)) return wanted;
    return makeError("{}: no split '{}'; it has {}", path.string(), wanted,
                     present.empty() ? "none" : fmt::format("{}", fmt::join(present, ", ")));
  }
  constexpr std::array<std::string_view, 5> kPreferred = {"val", "val2017", "test", "valid",
                                                          "train"};
  for (std::string_view name : kPreferred) {
    if (has(name)) return std::string(name);
  }
  return present.empty() ? std::string() : present.front();
}

}  // namespace narrows
