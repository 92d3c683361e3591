#include "narrows/runtime/group/file_store.h"

#include <gtest/gtest.h>

#include "narrows/bundle/sha256.h"

namespace narrows {
namespace {

ByteVector contents(std::size_t size, int first) {
  ByteVector bytes;
  for (std::size_t i = 0; i < size; ++i) bytes.push_back(static_cast<std::byte>(first + i * 7));
  return bytes;
}

ManifestFile entry(const std::string& path, const ByteVector& bytes) {
  return {path, bytes.size(), sha256(bytes)};
}

std::size_t lacking(FileStore& store, const std::vector<ManifestFile>& files) {
  auto missing = store.missing(files);
  EXPECT_TRUE(missing.ok()) << missing.error().message;
  return missing.ok() ? missing->size() : 99;
}

TEST(FileStore, TakesWhatItLacksInParts) {
  auto store = FileStore::open({}, 1000);
  ASSERT_TRUE(store.ok());
  const ByteVector bytes = contents(100, 1);
  const std::vector<ManifestFile> files = {entry("a", bytes), entry("b", bytes)};
  EXPECT_EQ(lacking(*store, files), 1u) << "equal files are one";
  const std::string& hash = files[0].sha256;
  EXPECT_TRUE(store->store(hash, 100, 0, ByteSpan(bytes).first(60)).ok());
  EXPECT_FALSE(store->store(hash, 100, 61, ByteSpan(bytes).subspan(61)).ok()) << "a gap";
  EXPECT_FALSE(store->store(hash, 101, 60, ByteSpan(bytes).subspan(60)).ok()) << "another size";
  EXPECT_TRUE(store->store(hash, 100, 60, ByteSpan(bytes).subspan(60)).ok());
  EXPECT_EQ(lacking(*store, files), 0u);
  auto directory = store->assemble("{}", files);
  ASSERT_TRUE(directory.ok()) << directory.error().message;
  auto read = readFile(*directory / "b");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, bytes);
}

TEST(FileStore, ForgetsAFileThatIsNotWhatItsNameSays) {
  auto store = FileStore::open({}, 1000);
  ASSERT_TRUE(store.ok());
  const std::vector<ManifestFile> files = {entry("a", contents(10, 1))};
  EXPECT_EQ(lacking(*store, files), 1u);
  EXPECT_FALSE(store->store(files[0].sha256, 10, 0, contents(10, 2)).ok());
  EXPECT_EQ(lacking(*store, files), 1u);
  EXPECT_FALSE(store->store(std::string(64, '0'), 10, 0, contents(10, 2)).ok()) << "unannounced";
}

TEST(FileStore, KeepsToItsLimit) {
  auto folder = TemporaryDirectory::create();
  ASSERT_TRUE(folder.ok());
  const auto fill = [](FileStore& store, const ManifestFile& file, const ByteVector& bytes) {
    const std::vector<ManifestFile> files = {file};
    if (lacking(store, files) == 0) return;
    EXPECT_TRUE(store.store(file.sha256, bytes.size(), 0, bytes).ok());
  };
  const ByteVector first = contents(60, 1);
  const ByteVector second = contents(60, 2);
  {
    auto store = FileStore::open(folder->path(), 100);
    ASSERT_TRUE(store.ok());
    fill(*store, entry("a", first), first);
    fill(*store, entry("b", second), second);
  }
  // The second one made the first one go, and outlived the store.
  auto store = FileStore::open(folder->path(), 100);
  ASSERT_TRUE(store.ok());
  EXPECT_EQ(lacking(*store, {entry("b", second)}), 0u);
  EXPECT_EQ(lacking(*store, {entry("a", first)}), 1u);
  const ByteVector large = contents(101, 3);
  EXPECT_FALSE(store->missing(std::vector<ManifestFile>{entry("c", large)}).ok());
}

}  // namespace
}  // namespace narrows
