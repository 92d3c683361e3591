#include "tests/support/process.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <csignal>

#include "narrows/base/file.h"

namespace narrows::test {
namespace {

// NOLINTNEXTLINE(*-non-const-global-variables): a fork handler takes no argument.
std::atomic<int> forks = 0;

TEST(Process, StartsWithoutForkHandlers) {
  ASSERT_EQ(pthread_atfork([] { ++forks; }, nullptr, nullptr), 0);
  auto folder = TemporaryDirectory::create("narrows-process");
  ASSERT_TRUE(folder.ok());
  EXPECT_EQ(Process::start({"/bin/sh", "-c", "exit 3"}, folder->path() / "out").wait(), 3);
  EXPECT_EQ(forks, 0);
}

TEST(Process, KeepsWhatItSays) {
  auto folder = TemporaryDirectory::create("narrows-process");
  ASSERT_TRUE(folder.ok());
  const auto output = folder->path() / "out";
  EXPECT_EQ(Process::start({"/bin/sh", "-c", "echo said; echo failed >&2"}, output).wait(), 0);
  const auto said = readTextFile(output, 100);
  const auto failed = readTextFile(output.string() + ".err", 100);
  ASSERT_TRUE(said.ok() && failed.ok());
  EXPECT_EQ(*said, "said\n");
  EXPECT_EQ(*failed, "failed\n");
}

TEST(Process, SignalsAreNegativeCodes) {
  auto folder = TemporaryDirectory::create("narrows-process");
  ASSERT_TRUE(folder.ok());
  Process process = Process::start({"/bin/sleep", "60"}, folder->path() / "out");
  EXPECT_FALSE(process.ended());
  process.kill(SIGKILL);
  EXPECT_EQ(process.wait(), -SIGKILL);
  EXPECT_TRUE(process.ended());
}

}  // namespace
}  // namespace narrows::test
