#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"

/// Reads the source tree as text and holds it against the design page, so that the two cannot
/// drift apart.
namespace narrows::test {

/// One `#include` of a file: the text between the quotes or brackets, and the line.
struct Include {
  std::string target;
  bool quoted = false;
  std::size_t line = 0;
};
std::vector<Include> parseIncludes(std::string_view source);

/// The table of modules: folder to what it may use. An entry is a folder ("graph"), one header of
/// a folder ("codec/params") or "all"; names that are no folder of the table are libraries.
class ModuleTable {
 public:
  /// Reads the rows of the first table whose header ends in "may use". The first column is the
  /// folder in backticks, the last the comma-separated list.
  static Result<ModuleTable> parse(std::string_view markdown);

  const std::map<std::string, std::set<std::string>>& rows() const { return rows_; }
  bool contains(std::string_view folder) const { return rows_.contains(std::string(folder)); }
  /// Whether a file of `folder` may include `header`, a path below the source root without
  /// "narrows/" ("codec/params.h"): its own folder, what its row names, and what those may use.
  bool allows(std::string_view folder, std::string_view header) const;

 private:
  std::map<std::string, std::set<std::string>> rows_;
};

/// Headers that start with `prefix` may be named by `folders` only.
struct LibraryRule {
  std::string prefix;
  std::set<std::string> folders;
};

/// A tree of sources in memory: path below the source root ("graph/graph.h") to content.
using SourceTree = std::map<std::string, std::string>;
Result<SourceTree> readSourceTree(const std::filesystem::path& root);

/// Includes that the table forbids, one line of text each. Tests (`*_test.cpp`) may reach wider.
std::vector<std::string> findForbiddenArrows(const SourceTree& tree, const ModuleTable& table);

/// Library headers outside the folders of their rule, and headers of ours that carry a library
/// header (in themselves or through another of their folder) into a second folder.
std::vector<std::string> findLibraryLeaks(const SourceTree& tree,
                                          const std::vector<LibraryRule>& rules);

}  // namespace narrows::test
