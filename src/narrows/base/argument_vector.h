#pragma once

#include <span>
#include <string>
#include <vector>

namespace narrows {

/// The words as a program's argv, with the null pointer behind them; valid as long as they are.
/// exec and posix_spawn take pointers to char and change nothing (POSIX.1-2017, exec, rationale).
inline std::vector<char*> argumentVector(std::span<const std::string> words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace narrows
