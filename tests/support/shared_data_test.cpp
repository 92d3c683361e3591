#include "tests/support/shared_data.h"

#include <cstdlib>
#include <fstream>
#include <thread>
#include <vector>

#include "narrows/base/file.h"

namespace narrows::test {
namespace {

namespace fs = std::filesystem;

void makeArchive(const fs::path& directory, const std::string& content) {
  fs::create_directory(directory / "pets");
  std::ofstream(directory / "pets" / "cat.txt") << content;
  const std::string command =
      fmt::format("tar -czf '{0}/pets.tar.gz' -C '{0}' pets", directory.string());
  ASSERT_EQ(std::system(command.c_str()), 0);
}

TEST(UnpackOnce, UnpacksOnceForManyAskersAndAgainForAChangedArchive) {
  auto directory = TemporaryDirectory::create();
  ASSERT_TRUE(directory.ok());
  makeArchive(directory->path(), "purr");
  const fs::path archive = directory->path() / "pets.tar.gz";
  const fs::path cache = directory->path() / "cache";

  std::vector<Result<fs::path>> answers(4, Result<fs::path>(Error{"not asked"}));
  std::vector<std::thread> askers;
  askers.reserve(answers.size());
  for (auto& answer : answers) {
    askers.emplace_back([&] { answer = unpackOnce(archive, cache); });
  }
  for (std::thread& asker : askers) asker.join();
  for (auto& answer : answers) {
    ASSERT_TRUE(answer.ok()) << answer.error().message;
    EXPECT_EQ(*answer, *answers.front());
  }
  const fs::path first = *answers.front();
  EXPECT_EQ(*readTextFile(first / "cat.txt"), "purr");
  EXPECT_FALSE(fs::exists(cache / "pets.partial"));

  makeArchive(directory->path(), "a much longer sound of a cat that has seen a bird");
  auto changed = unpackOnce(archive, cache);
  ASSERT_TRUE(changed.ok()) << changed.error().message;
  EXPECT_NE(*changed, first);
  EXPECT_NE(*readTextFile(*changed / "cat.txt"), "purr");
}

TEST(UnpackOnce, ABrokenArchiveIsAnErrorAndLeavesNoResult) {
  auto directory = TemporaryDirectory::create();
  ASSERT_TRUE(directory.ok());
  const fs::path archive = directory->path() / "pets.tar.gz";
  std::ofstream(archive) << "not an archive";
  const fs::path cache = directory->path() / "cache";
  EXPECT_FALSE(unpackOnce(archive, cache).ok());
  EXPECT_FALSE(unpackOnce(archive, cache).ok());
  EXPECT_FALSE(unpackOnce(directory->path() / "none.tar.gz", cache).ok());
}

TEST(SharedData, AnUnpackedDatasetHoldsItsFiles) {
  NARROWS_REQUIRE_SHARED();
  auto path = unpackedDataset("indoor-map-85");
  ASSERT_TRUE(path.ok()) << path.error().message;
  EXPECT_TRUE(fs::is_directory(*path / "ground-truth"));
  EXPECT_FALSE(unpackedDataset("no-such-set").ok());
}

}  // namespace
}  // namespace narrows::test
