#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <numeric>

#include "narrows/base/byte_io.h"
#include "narrows/base/direct_file.h"
#include "narrows/base/file.h"
#include "narrows/base/median.h"
#include "narrows/base/thread_pool.h"
#include "narrows/base/units.h"

namespace narrows {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return makeError("{} is odd", value);
  return value / 2;
}

Result<int> quarter(int value) {
  NARROWS_TRY(once, half(value));
  NARROWS_TRY(twice, half(once));
  return twice;
}

TEST(Result, CarriesTheValueOrTheFirstError) {
  EXPECT_EQ(*quarter(12), 3);
  EXPECT_EQ(quarter(6).error().message, "3 is odd");
  EXPECT_EQ(quarter(6).within("model.onnx").error().message, "model.onnx: 3 is odd");
}

TEST(Median, IsTheMiddleOfTheSortedValues) {
  EXPECT_EQ(median({}), 0);
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({9, -1}), 4);
  EXPECT_EQ(median({5, 1, 4, 2, 3}), 3);
  EXPECT_EQ(median({7, 1, 1, 10, 2, 2}), 2);
}

TEST(ByteReader, StopsAtTheEndAndNamesTheField) {
  ByteWriter writer;
  writer.write<std::uint16_t>(0x1234);
  writer.write<std::uint8_t>(7);
  ByteReader reader(writer.view());
  EXPECT_EQ(*reader.read<std::uint16_t>("width"), 0x1234);
  EXPECT_EQ(reader.read<std::uint32_t>("height").error().message,
            "offset 2: height needs 4 bytes, 1 are left");
  EXPECT_EQ(*reader.read<std::uint8_t>("depth"), 7);
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(File, RoundTripsAndAppearsWhole) {
  auto directory = TemporaryDirectory::create();
  ASSERT_TRUE(directory.ok());
  const auto path = directory->path() / "a.bin";
  ASSERT_TRUE(writeFileAtomically(path, asBytes("hello")).ok());
  EXPECT_EQ(*readTextFile(path), "hello");
  auto mapped = MappedFile::open(path);
  ASSERT_TRUE(mapped.ok());
  EXPECT_EQ(asText((*mapped)->bytes()), "hello");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory->path()), {}), 1);
  EXPECT_FALSE(readFile(path, 4).ok());
  EXPECT_FALSE(readFile(directory->path()).ok());
  EXPECT_FALSE(MappedFile::open(directory->path() / "none").ok());
  EXPECT_FALSE(writeFileAtomically(directory->path() / "no" / "b", asBytes("x")).ok());
}

TEST(DirectFile, ReadsBlocksUpToTheEnd) {
  auto directory = TemporaryDirectory::create();
  ASSERT_TRUE(directory.ok());
  const auto path = directory->path() / "a.bin";
  ByteVector bytes(3 * DirectFile::kBlock + 17);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7 >> 3);
  ASSERT_TRUE(writeFileAtomically(path, bytes).ok());
  const auto file = DirectFile::open(path);
  ASSERT_TRUE(file.ok()) << file.error().message;
  alignas(DirectFile::kBlock) static std::array<std::byte, 3 * DirectFile::kBlock> room;
  const auto matches = [&](std::size_t offset, std::size_t count) {
    return std::equal(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(count),
                      bytes.begin() + static_cast<std::ptrdiff_t>(offset));
  };
  EXPECT_EQ(*file->read(0, room), room.size());
  EXPECT_TRUE(matches(0, room.size()));
  EXPECT_EQ(*file->read(2 * DirectFile::kBlock, room), DirectFile::kBlock + 17);
  EXPECT_TRUE(matches(2 * DirectFile::kBlock, DirectFile::kBlock + 17));
  EXPECT_EQ(*file->read(4 * DirectFile::kBlock, room), 0u);
  EXPECT_FALSE(DirectFile::open(directory->path() / "none").ok());
}

TEST(ThreadPool, RunsEveryIndexOnceAndOneWorkerAtATime) {
  ThreadPool pool(4);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::atomic<int>> seen(97);
    std::vector<std::atomic<int>> inside(pool.size());
    std::atomic<bool> overlap = false;
    pool.forEach(seen.size(), [&](std::size_t index, std::size_t worker) {
      if (inside[worker]++ != 0) overlap = true;
      ++seen[index];
      --inside[worker];
    });
    for (auto& count : seen) EXPECT_EQ(count, 1);
    EXPECT_FALSE(overlap);
  }
  pool.forEach(0, [](std::size_t, std::size_t) { FAIL(); });
}

TEST(Units, CombineIntoTheRightKinds) {
  const Joules energy = Watts(2.5) * milliseconds(40);
  EXPECT_DOUBLE_EQ(energy.value(), 0.1);
  EXPECT_DOUBLE_EQ((Bytes(125) / BitsPerSecond(1000)).value(), 1.0);
}

}  // namespace
}  // namespace narrows
