#include "narrows/cli/worker_list.h"

#include <algorithm>
#include <filesystem>

#include "narrows/base/file.h"
#include "narrows/runtime/security.h"

namespace narrows {
namespace {

constexpr std::size_t kMaxFile = std::size_t{1} << 20;

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

}  // namespace

Result<std::vector<GroupMember>> parseWorkerList(std::string_view text, std::string_view origin) {
  std::vector<GroupMember> members;
  std::size_t line = 1;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("\n,"), text.size());
    std::string_view entry = text.substr(0, end);
    const std::size_t entry_line = line;
    if (end < text.size() && text[end] == '\n') ++line;
    text.remove_prefix(std::min(end + 1, text.size()));
    entry = trimmed(entry.substr(0, entry.find('#')));
    if (entry.empty()) continue;
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos) {
      return makeError("{}:{}: \"{}\", expected DEVICE=HOST:PORT", origin, entry_line, entry);
    }
    GroupMember member{std::string(trimmed(entry.substr(0, equals))),
                       std::string(trimmed(entry.substr(equals + 1)))};
    NARROWS_CHECK(checkAddress(member.address).within(fmt::format("{}:{}", origin, entry_line)));
    const bool taken = std::any_of(members.begin(), members.end(), [&](const GroupMember& other) {
      return other.device == member.device;
    });
    if (taken) return makeError("{}:{}: a second \"{}\"", origin, entry_line, member.device);
    members.push_back(std::move(member));
  }
  if (members.empty()) return makeError("{}: names no worker", origin);
  return members;
}

Result<std::vector<GroupMember>> readWorkerList(const std::string& text_or_path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(text_or_path, ignored)) {
    return parseWorkerList(text_or_path, "--workers");
  }
  NARROWS_TRY(text, readTextFile(text_or_path, kMaxFile));
  return parseWorkerList(text, text_or_path);
}

}  // namespace narrows
