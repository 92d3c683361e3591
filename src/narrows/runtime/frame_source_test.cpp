#include "narrows/runtime/frame_source.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "narrows/base/file.h"
#include "narrows/runtime/runtime_case.h"

namespace narrows {
namespace {

using test::must;

class FrameSourceTest : public ::testing::Test {
 protected:
  void write(const std::string& name, ByteSpan bytes) {
    EXPECT_OK(writeFileAtomically(folder_.path() / name, bytes));
  }
  static std::vector<std::string> names(FrameSource& source) {
    std::vector<std::string> names;
    while (auto frame = must(source.next())) names.push_back(frame->name);
    return names;
  }

  TemporaryDirectory folder_ = must(TemporaryDirectory::create());
};

TEST_F(FrameSourceTest, DirectoryGivesItsPicturesByName) {
  const ByteVector png = must(encodePng(test::smallPicture(1)));
  for (const char* name : {"b.png", "a.JPG", "notes.txt", "c.jpeg"}) write(name, png);
  const auto source = must(openSource(folder_.path()));
  EXPECT_EQ(source->count(), 3U);
  EXPECT_EQ(names(*source), (std::vector<std::string>{"a.JPG", "b.png", "c.jpeg"}));
  const auto limited = must(openSource(folder_.path(), {2}));
  EXPECT_EQ(limited->count(), 2U);
  EXPECT_EQ(names(*limited).size(), 2U);
}

TEST_F(FrameSourceTest, FileGivesItselfAndDecodesWhenAsked) {
  const Image image = test::smallPicture(2);
  write("one.png", must(encodePng(image)));
  const auto source = must(openSource(folder_.path() / "one.png"));
  auto frame = must(source->next());
  ASSERT_TRUE(frame.has_value());
  Picture picture = must(std::move(frame->picture));
  EXPECT_EQ(must(picture.size()), image.size());
  EXPECT_EQ(*must(picture.image()), image);
  EXPECT_FALSE(must(source->next()).has_value());
}

TEST_F(FrameSourceTest, EmptyFileIsAFrameWithAnError) {
  write("empty.jpg", {});
  const auto source = must(openSource(folder_.path()));
  const auto frame = must(source->next());
  ASSERT_TRUE(frame.has_value());
  EXPECT_FALSE(frame->picture.ok());
}

TEST_F(FrameSourceTest, SaysWhatItCannotOpen) {
  for (const auto& path : {folder_.path() / "missing", folder_.path()}) {
    const auto source = openSource(path);
    ASSERT_FALSE(source.ok());
    EXPECT_NE(source.error().message.find(path.string()), std::string::npos);
  }
  write("garbage.mp4", ByteVector(5000, std::byte{0x5a}));
  const auto video = openSource(folder_.path() / "garbage.mp4");
  ASSERT_FALSE(video.ok());
  EXPECT_NE(video.error().message.find("garbage.mp4"), std::string::npos);
  EXPECT_FALSE(openSource("/dev/video987").ok());
}

/// Frames of one colour each, encoded without loss by the ffmpeg program.
TEST_F(FrameSourceTest, VideoGivesItsFrames) {
  if (std::system("ffmpeg -version > /dev/null 2>&1") != 0) {
    GTEST_SKIP() << "there is no ffmpeg program to make a video with";
  }
  for (int i = 0; i < 5; ++i) {
    const auto level = static_cast<std::uint8_t>(40 * i + 20);
    write(fmt::format("{}.png", i), must(encodePng(makeImage({50, 38}, level, level, level))));
  }
  const std::string folder = folder_.path().string();
  const std::string command = fmt::format(
      "ffmpeg -loglevel error -y -framerate 5 -i {0}/%d.png -c:v ffv1 {0}/film.mkv", folder);
  ASSERT_EQ(std::system(command.c_str()), 0);
  auto source = openSource(folder_.path() / "film.mkv");
  if (!source.ok() && source.error().message.find("no FFmpeg") != std::string::npos) {
    GTEST_SKIP() << "this build has no FFmpeg";
  }
  ASSERT_TRUE(source.ok()) << source.error().message;
  for (int i = 0; i < 5; ++i) {
    auto frame = must((*source)->next());
    ASSERT_TRUE(frame.has_value()) << i;
    Picture picture = must(std::move(frame->picture));
    const Image* image = must(picture.image());
    EXPECT_EQ(image->size(), (ImageSize{50, 38}));
    EXPECT_EQ(frame->name, fmt::format("film.mkv#{}", i));
    for (const std::uint8_t sample : image->rgb) ASSERT_NEAR(sample, 40 * i + 20, 2);
  }
  EXPECT_FALSE(must((*source)->next()).has_value());

  // Cut short: pictures until the damage, then an end or an error, never a hang.
  ByteVector film = must(readFile(folder_.path() / "film.mkv"));
  film.resize(film.size() * 2 / 3);
  write("short.mkv", film);
  const auto cut = openSource(folder_.path() / "short.mkv");
  if (cut.ok()) {
    std::size_t frames = 0;
    for (auto frame = (*cut)->next(); frame.ok() && *frame; frame = (*cut)->next()) ++frames;
    EXPECT_LE(frames, 5U);
  }
}

}  // namespace
}  // namespace narrows
