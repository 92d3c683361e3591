#include "tests/structure.h"

#include <algorithm>

#include "narrows/base/file.h"

namespace narrows::test {
namespace {

namespace fs = std::filesystem;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r`/");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r`/") - first + 1);
}

std::vector<std::string_view> splitAt(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

/// The cells of "| a | b |", or nothing for another line.
std::vector<std::string_view> tableCells(std::string_view line) {
  if (!line.starts_with('|')) return {};
  auto cells = splitAt(line, '|');
  cells.erase(cells.begin());
  if (!cells.empty() && trimmed(cells.back()).empty()) cells.pop_back();
  return cells;
}

std::string folderOf(std::string_view path) {
  return std::string(path.substr(0, path.find('/')));
}

bool isTest(std::string_view path) {
  return path.ends_with("_test.cpp");
}

/// "graph/graph.h" of `#include "narrows/graph/graph.h"`, nothing for a header that is not ours.
std::optional<std::string> ownHeader(const Include& include) {
  constexpr std::string_view kRoot = "narrows/";
  if (!include.quoted || !include.target.starts_with(kRoot)) return std::nullopt;
  return include.target.substr(kRoot.size());
}

}  // namespace

std::vector<Include> parseIncludes(std::string_view source) {
  std::vector<Include> includes;
  std::size_t number = 0;
  for (std::string_view line : splitAt(source, '\n')) {
    ++number;
    const auto hash = line.find_first_not_of(" \t");
    if (hash == std::string_view::npos || line[hash] != '#') continue;
    line.remove_prefix(hash + 1);
    const auto word = line.find_first_not_of(" \t");
    if (word == std::string_view::npos || !line.substr(word).starts_with("include")) continue;
    const auto open = line.find_first_of("\"<");
    if (open == std::string_view::npos) continue;
    const auto close = line.find(line[open] == '"' ? '"' : '>', open + 1);
    if (close == std::string_view::npos) continue;
    includes.push_back(
        {std::string(line.substr(open + 1, close - open - 1)), line[open] == '"', number});
  }
  return includes;
}

Result<ModuleTable> ModuleTable::parse(std::string_view markdown) {
  ModuleTable table;
  bool inside = false;
  for (const std::string_view line : splitAt(markdown, '\n')) {
    const auto cells = tableCells(line);
    if (cells.size() < 2) {
      if (inside) break;
      continue;
    }
    if (trimmed(cells.back()) == "may use") {
      inside = true;
      continue;
    }
    if (!inside || trimmed(cells.front()).starts_with('-')) continue;
    auto& uses = table.rows_[std::string(trimmed(cells.front()))];
    for (const std::string_view name : splitAt(cells.back(), ',')) {
      uses.insert(std::string(trimmed(name)));
    }
  }
  if (table.rows_.empty()) return makeError("no table whose last column is \"may use\"");
  return table;
}

bool ModuleTable::allows(std::string_view folder, std::string_view header) const {
  const std::string wanted = folderOf(header);
  const std::string without_suffix(header.substr(0, header.rfind('.')));
  std::set<std::string> seen;
  std::vector<std::string> open = {std::string(folder)};
  while (!open.empty()) {
    const std::string current = open.back();
    open.pop_back();
    if (!seen.insert(current).second) continue;
    if (current == wanted || current == without_suffix || current == "all") return true;
    // One header of a folder ("codec/params") may use what its folder may.
    const auto row = rows_.find(folderOf(current));
    if (row != rows_.end()) open.insert(open.end(), row->second.begin(), row->second.end());
  }
  return false;
}

Result<SourceTree> readSourceTree(const fs::path& root) {
  SourceTree tree;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(root, error)) {
    const auto extension = entry.path().extension();
    if (!entry.is_regular_file() || (extension != ".h" && extension != ".cpp")) continue;
    NARROWS_TRY(text, readTextFile(entry.path()));
    tree[fs::relative(entry.path(), root).generic_string()] = text;
  }
  if (error) return makeError("{}: {}", root.string(), error.message());
  return tree;
}

std::vector<std::string> findForbiddenArrows(const SourceTree& tree, const ModuleTable& table) {
  std::vector<std::string> findings;
  for (const auto& [path, source] : tree) {
    if (isTest(path)) continue;
    for (const Include& include : parseIncludes(source)) {
      const auto header = ownHeader(include);
      if (!header) {
        if (include.quoted && tree.contains(include.target)) {
          findings.push_back(fmt::format("{}:{}: \"{}\" must be included as \"narrows/{}\"", path,
                                         include.line, include.target, include.target));
        }
        continue;
      }
      if (!table.allows(folderOf(path), *header)) {
        findings.push_back(fmt::format("{}:{}: {} may not use \"{}\"", path, include.line,
                                       folderOf(path), include.target));
      }
    }
  }
  return findings;
}

std::vector<std::string> findLibraryLeaks(const SourceTree& tree,
                                          const std::vector<LibraryRule>& rules) {
  std::vector<std::string> findings;
  // Header of ours to the library header that it carries.
  std::map<std::string, std::string> carriers;
  for (const auto& [path, source] : tree) {
    for (const Include& include : parseIncludes(source)) {
      for (const LibraryRule& rule : rules) {
        if (!include.target.starts_with(rule.prefix)) continue;
        if (!rule.folders.contains(folderOf(path)) && !isTest(path)) {
          findings.push_back(fmt::format("{}:{}: <{}> belongs to {}", path, include.line,
                                         include.target, fmt::join(rule.folders, " and ")));
        }
        if (path.ends_with(".h")) carriers.emplace(path, include.target);
      }
    }
  }
  for (bool grown = true; grown;) {
    grown = false;
    for (const auto& [path, source] : tree) {
      if (!path.ends_with(".h") || carriers.contains(path)) continue;
      for (const Include& include : parseIncludes(source)) {
        const auto header = ownHeader(include);
        const auto carried = header ? carriers.find(*header) : carriers.end();
        if (carried == carriers.end()) continue;
        grown |= carriers.emplace(path, carried->second).second;
      }
    }
  }
  for (const auto& [path, source] : tree) {
    if (isTest(path)) continue;
    for (const Include& include : parseIncludes(source)) {
      const auto header = ownHeader(include);
      const auto carried = header ? carriers.find(*header) : carriers.end();
      if (carried == carriers.end() || folderOf(*header) == folderOf(path)) continue;
      findings.push_back(fmt::format("{}:{}: \"{}\" carries <{}> out of its folder", path,
                                     include.line, include.target, carried->second));
    }
  }
  return findings;
}

}  // namespace narrows::test
