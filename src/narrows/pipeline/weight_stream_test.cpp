#include "narrows/pipeline/weight_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "narrows/base/file.h"

namespace narrows {
namespace {

constexpr std::size_t kSize = 1'000'003;
constexpr std::size_t kOffset = 128;  // of the weights in their file

/// A file of numbered bytes, as a bundle has it.
class WeightStreamTest : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TemporaryDirectory::create();
    ASSERT_TRUE(folder.ok());
    folder_.emplace(std::move(*folder));
    ByteVector bytes(kOffset + kSize);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<std::byte>((i * 2654435761U) >> 13);
    }
    piece_.place = {folder_->path() / "weights", kOffset};
    ASSERT_TRUE(writeFileAtomically(piece_.place.path, bytes).ok());
    auto mapped = MappedFile::open(piece_.place.path);
    ASSERT_TRUE(mapped.ok());
    piece_.weights = MappedFile::part(*mapped, kOffset, kSize);
  }

  /// Blocks of up to `most` bytes with some bytes left out between them.
  std::vector<ByteSpan> blocks(std::size_t most) const {
    std::vector<ByteSpan> all;
    const ByteSpan weights = piece_.weights->bytes();
    std::size_t at = 4;
    for (std::size_t i = 0; at < kSize; ++i) {
      const std::size_t size = std::min(kSize - at, most - i * 4 % most);
      all.push_back(weights.subspan(at, size));
      at += size + (i % 3) * 5000;
    }
    return all;
  }

  std::optional<TemporaryDirectory> folder_;
  BundlePieces::Opened piece_;
};

TEST_F(WeightStreamTest, LendsEachBlockOnceToWhicheverThreadAsks) {
  for (const std::size_t room_bytes : {std::size_t{0}, std::size_t{100'000}, 2 * kSize}) {
    for (const std::size_t most : {std::size_t{1000}, std::size_t{70'000}, kSize}) {
      SCOPED_TRACE(fmt::format("{} bytes for blocks of {}", room_bytes, most));
      StreamRoom room(room_bytes);
      auto stream = WeightStream::open(piece_, room);
      ASSERT_TRUE(stream.ok()) << stream.error().message;
      const std::vector<ByteSpan> all = blocks(most);
      for (int run = 0; run < 2; ++run) {
        (*stream)->expect(all);
        std::atomic<std::size_t> next{0};
        std::atomic<std::size_t> right{0};
        const auto take = [&] {
          for (std::size_t i = next++; i < all.size(); i = next++) {
            const auto held = (*stream)->hold(all[i]);
            if (held.ok() && std::ranges::equal(*held, all[i])) ++right;
            if (held.ok()) (*stream)->release(all[i]);
          }
        };
        std::thread other(take);
        take();
        other.join();
        EXPECT_EQ(right, all.size());
      }
      EXPECT_LE(room.bytes().size(),
                std::max(room_bytes, most + 2 * DirectFile::kBlock) + DirectFile::kBlock);
    }
  }
}

TEST_F(WeightStreamTest, HasWhatLiesInItsFileAlone) {
  StreamRoom room(0);
  auto stream = WeightStream::open(piece_, room);
  ASSERT_TRUE(stream.ok()) << stream.error().message;
  const ByteVector other(10);
  EXPECT_TRUE((*stream)->has(piece_.weights->bytes()));
  EXPECT_FALSE((*stream)->has(other));
  (*stream)->expect({ByteSpan(other)});
  EXPECT_FALSE((*stream)->hold(other).ok());
}

TEST_F(WeightStreamTest, EndsInTheMiddleOfReading) {
  StreamRoom room(100'000);
  auto stream = WeightStream::open(piece_, room);
  ASSERT_TRUE(stream.ok()) << stream.error().message;
  const std::vector<ByteSpan> all = blocks(30'000);
  (*stream)->expect(all);
  ASSERT_TRUE((*stream)->hold(all[0]).ok());
  stream->reset();
}

TEST_F(WeightStreamTest, SaysThatTheFileBecameShorter) {
  StreamRoom room(100'000);
  auto stream = WeightStream::open(piece_, room);
  ASSERT_TRUE(stream.ok()) << stream.error().message;
  std::filesystem::resize_file(piece_.place.path, kSize / 2);
  const std::vector<ByteSpan> all = blocks(30'000);
  (*stream)->expect(all);
  Status outcome;
  for (std::size_t i = 0; i < all.size() && outcome.ok(); ++i) {
    const auto held = (*stream)->hold(all[i]);
    if (held.ok()) {
      (*stream)->release(all[i]);
    } else {
      outcome = held.error();
    }
  }
  ASSERT_FALSE(outcome.ok());
  EXPECT_NE(outcome.error().message.find("shorter"), std::string::npos) << outcome.error().message;
}

}  // namespace
}  // namespace narrows
