#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "narrows/base/file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace narrows {
namespace {

/// Through a copy of exactly the size, so that the sanitizers see a read past the end.
void runOn(ByteSpan bytes) {
  std::vector<std::uint8_t> copy(bytes.size());
  std::transform(bytes.begin(), bytes.end(), copy.begin(),
                 [](std::byte b) { return static_cast<std::uint8_t>(b); });
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
}

std::vector<std::filesystem::path> corpusFiles() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(NARROWS_FUZZ_CORPUS)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(Corpus, ReplaysWhole) {
  const std::vector<std::filesystem::path> files = corpusFiles();
  ASSERT_FALSE(files.empty()) << "no seeds in " << NARROWS_FUZZ_CORPUS;
  for (const auto& path : files) {
    SCOPED_TRACE(path.filename().string());
    const auto bytes = readFile(path);
    ASSERT_TRUE(bytes.ok()) << bytes.error().message;
    runOn(*bytes);
  }
}

TEST(Corpus, ReplaysCutShort) {
  constexpr std::size_t kLengths = 64;
  for (const auto& path : corpusFiles()) {
    SCOPED_TRACE(path.filename().string());
    const auto bytes = readFile(path);
    ASSERT_TRUE(bytes.ok()) << bytes.error().message;
    const std::size_t step = std::max<std::size_t>(1, bytes->size() / kLengths);
    for (std::size_t length = 0; length < bytes->size(); length += step) {
      runOn(ByteSpan(*bytes).first(length));
    }
  }
}

}  // namespace
}  // namespace narrows
