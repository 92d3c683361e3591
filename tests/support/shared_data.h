#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string_view>

#include "narrows/base/result.h"

namespace narrows::test {

/// The folder with models, data sets and vectors: `$NARROWS_SHARED`, else `../shared/data` beside
/// the repository. Nothing when neither is a directory; a test then skips (NARROWS_REQUIRE_SHARED).
std::optional<std::filesystem::path> sharedData();

/// The folder that `datasets/NAME.tar.gz` of the shared data unpacks to. It is unpacked once per
/// machine, into `$NARROWS_CACHE`, else `$XDG_CACHE_HOME/narrows-test-data`, else
/// `$HOME/.cache/narrows-test-data`; processes that ask at the same time wait for one another.
Result<std::filesystem::path> unpackedDataset(std::string_view name);

/// The same for `NAME.tar.gz` at the top of the shared data.
Result<std::filesystem::path> unpackedArchive(std::string_view name);

/// Unpacks ARCHIVE, named FOLDER.tar.gz and holding one folder FOLDER, below CACHE, once. The
/// result is keyed by the archive's size, so that a changed archive is unpacked again.
Result<std::filesystem::path> unpackOnce(const std::filesystem::path& archive,
                                         const std::filesystem::path& cache);

}  // namespace narrows::test

/// Skips the test, with the reason printed, when the shared data is absent.
#define NARROWS_REQUIRE_SHARED()                                                    \
  do {                                                                              \
    if (!::narrows::test::sharedData()) {                                           \
      GTEST_SKIP() << "no shared data: neither $NARROWS_SHARED nor ../shared/data " \
                      "beside the repository is a directory";                       \
    }                                                                               \
  } while (false)
