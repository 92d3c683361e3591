#include "narrows/bundle/archive.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace narrows {
namespace {

namespace fs = std::filesystem;

class ArchiveTest : public testing::Test {
 protected:
  void SetUp() override {
    auto directory = TemporaryDirectory::create();
    ASSERT_TRUE(directory.ok());
    directory_.emplace(*std::move(directory));
  }
  fs::path at(std::string_view name) const { return directory_->path() / name; }

  fs::path make(const std::vector<std::pair<std::string, std::string>>& contents) {
    std::vector<std::pair<std::string, fs::path>> files;
    for (std::size_t i = 0; i < contents.size(); ++i) {
      const fs::path path = at(fmt::format("file{}", i));
      std::ofstream(path, std::ios::binary) << contents[i].second;
      files.emplace_back(contents[i].first, path);
    }
    std::error_code ignored;
    fs::remove(at("a.tar"), ignored);
    const Status status = writeArchive(at("a.tar"), files);
    EXPECT_TRUE(status.ok()) << status.error().message;
    return at("a.tar");
  }

  std::string problemOf(const std::string& bytes) {
    std::ofstream(at("damaged.tar"), std::ios::binary) << bytes;
    auto file = MappedFile::open(at("damaged.tar"));
    EXPECT_TRUE(file.ok());
    auto members = readArchive(*file);
    return members.ok() ? "" : members.error().message;
  }

  std::string bytesOf(const fs::path& path) {
    auto text = readTextFile(path);
    EXPECT_TRUE(text.ok());
    return *std::move(text);
  }

  std::optional<TemporaryDirectory> directory_;
};

/// Writes the checksum that fits the header at `offset`.
void fixChecksum(std::string& bytes, std::size_t offset) {
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset) + 148, 8, ' ');
  unsigned sum = 0;
  for (std::size_t i = 0; i < 512; ++i) sum += static_cast<unsigned char>(bytes[offset + i]);
  const std::string text = fmt::format("{:06o}", sum) + std::string(1, '\0') + " ";
  bytes.replace(offset + 148, 8, text);
}

TEST_F(ArchiveTest, GivesBackWhatWasWritten) {
  const std::string large(100'001, 'x');
  const fs::path path = make({{"bundle.json", "{}"}, {"pieces/a.onnx", large}, {"empty", ""}});
  auto file = MappedFile::open(path);
  ASSERT_TRUE(file.ok());
  auto members = readArchive(*file);
  ASSERT_TRUE(members.ok()) << members.error().message;
  ASSERT_EQ(members->size(), 3u);
  EXPECT_EQ(asText(members->at("bundle.json")->bytes()), "{}");
  EXPECT_EQ(asText(members->at("pieces/a.onnx")->bytes()), large);
  EXPECT_EQ(members->at("empty")->bytes().size(), 0u);
  const auto address =
      reinterpret_cast<std::uintptr_t>(members->at("pieces/a.onnx")->bytes().data());
  EXPECT_EQ(address % 64, 0u);
}

TEST_F(ArchiveTest, MembersOutliveTheArchiveThatTheyCameFrom) {
  auto file = MappedFile::open(make({{"a", "hello"}}));
  ASSERT_TRUE(file.ok());
  auto members = readArchive(*file);
  ASSERT_TRUE(members.ok());
  *file = nullptr;
  EXPECT_EQ(asText(members->at("a")->bytes()), "hello");
}

TEST_F(ArchiveTest, TheTarProgramReadsIt) {
  if (std::system("tar --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no tar program";
  make({{"bundle.json", "{}"}, {"pieces/a.onnx", "model"}});
  fs::create_directory(at("out"));
  const std::string command =
      fmt::format("tar -xf {} -C {}", at("a.tar").string(), at("out").string());
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(bytesOf(at("out") / "pieces" / "a.onnx"), "model");
}

TEST_F(ArchiveTest, ReadsWhatTheTarProgramWroteOfFiles) {
  if (std::system("tar --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no tar program";
  make({{"x", "one"}, {"y", "two"}});
  const std::string command = fmt::format("tar --format=ustar -b 1 -C {} -cf {} file0 file1",
                                          directory_->path().string(), at("b.tar").string());
  ASSERT_EQ(std::system(command.c_str()), 0);
  auto file = MappedFile::open(at("b.tar"));
  auto members = readArchive(*file);
  ASSERT_TRUE(members.ok()) << members.error().message;
  EXPECT_EQ(asText(members->at("file1")->bytes()), "two");
}

TEST_F(ArchiveTest, EveryTruncationIsAnError) {
  const std::string bytes = bytesOf(make({{"a", "hello"}, {"b", std::string(700, 'b')}}));
  ASSERT_EQ(problemOf(bytes), "");
  for (std::size_t size = 0; size < bytes.size(); size += 37) {
    EXPECT_NE(problemOf(bytes.substr(0, size)), "") << size;
  }
  EXPECT_NE(problemOf(bytes + std::string(512, '\0')), "");
}

TEST_F(ArchiveTest, EveryByteOfAHeaderCounts) {
  const std::string bytes = bytesOf(make({{"a", "hello"}}));
  for (std::size_t i = 0; i < 512; ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x15);
    EXPECT_NE(problemOf(damaged), "") << i;
  }
}

TEST_F(ArchiveTest, RefusesLinksDirectoriesAndDevices) {
  for (char kind : {'1', '2', '3', '4', '5', '6', 'x', 'L', '\0'}) {
    std::string bytes = bytesOf(make({{"a", "hello"}}));
    bytes[156] = kind;
    fixChecksum(bytes, 0);
    EXPECT_NE(problemOf(bytes).find("only files are allowed"), std::string::npos)
        << problemOf(bytes);
  }
}

TEST_F(ArchiveTest, RefusesNamesThatLeadElsewhere) {
  for (const std::string name : {"../a", "/etc/x", "a/../b", "a//b", "./a", "a/", "a\\b", "a\nb"}) {
    std::string bytes = bytesOf(make({{std::string(name.size(), 'n'), "hello"}}));
    bytes.replace(0, name.size(), name);
    fixChecksum(bytes, 0);
    EXPECT_EQ(problemOf(bytes).rfind("offset 0: a file name", 0) == 0 ||
                  problemOf(bytes).rfind("offset 0: file name", 0) == 0,
              true)
        << problemOf(bytes);
    EXPECT_FALSE(checkMemberName(name).ok());
  }
  EXPECT_TRUE(checkMemberName("pieces/..a").ok());
  EXPECT_FALSE(checkMemberName("").ok());
  EXPECT_FALSE(checkMemberName(std::string(101, 'a')).ok());
}

TEST_F(ArchiveTest, RefusesANameTwiceAndSizesThatLie) {
  std::string bytes = bytesOf(make({{"a", "hello"}, {"b", "world"}}));
  bytes[1024] = 'a';
  fixChecksum(bytes, 1024);
  EXPECT_EQ(problemOf(bytes), "offset 1024: \"a\" occurs twice");
  bytes = bytesOf(make({{"a", "hello"}}));
  bytes.replace(124, 11, "77777777777");
  fixChecksum(bytes, 0);
  EXPECT_EQ(problemOf(bytes), "offset 0: \"a\" has 8589934591 bytes, 1536 are left in the archive");
}

TEST_F(ArchiveTest, RefusesStrayBytes) {
  std::string bytes = bytesOf(make({{"a", "hello"}}));
  bytes[600] = 'x';
  EXPECT_EQ(problemOf(bytes), "offset 0: \"a\" is followed by stray bytes");
  bytes = bytesOf(make({{"a", "hello"}}));
  bytes.back() = 'x';
  EXPECT_EQ(problemOf(bytes), "offset 1024: expected two empty blocks and the end of the archive");
}

}  // namespace
}  // namespace narrows
