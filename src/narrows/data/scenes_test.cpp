#include "narrows/data/scenes.h"

#include <gtest/gtest.h>

#include "narrows/base/file.h"

namespace narrows {
namespace {

TEST(Scenes, AreASetThatOpens) {
  auto directory = TemporaryDirectory::create();
  ASSERT_TRUE(directory.ok());
  const auto folder = directory->path() / "scenes";
  SceneOptions options;
  options.count = 5;
  options.size = {96, 64};
  ASSERT_TRUE(writeScenes(folder, options).ok());
  EXPECT_FALSE(writeScenes(folder, options).ok());  // it exists
  DataOptions data_options;
  data_options.layout = DataLayout::yolo;
  auto data = openDataSet(folder, data_options);
  ASSERT_TRUE(data.ok()) << data.error().message;
  ASSERT_EQ(data->items.size(), 5u);
  for (const DataItem& item : data->items) {
    EXPECT_FALSE(item.boxes.empty());
    for (const TruthBox& truth : item.boxes) EXPECT_GT(truth.box.area(), 0.0F);
    auto image = readImage(item.image);
    ASSERT_TRUE(image.ok());
    EXPECT_EQ(image->size(), (ImageSize{96, 64}));
  }
}

TEST(Scenes, ComeFromTheSeedAlone) {
  const auto draw = [](std::uint64_t seed) {
    std::mt19937_64 random(seed);
    return drawScene({80, 60}, 4, random);
  };
  EXPECT_EQ(draw(3).image, draw(3).image);
  EXPECT_EQ(draw(3).boxes, draw(3).boxes);
  EXPECT_NE(draw(3).image, draw(4).image);
}

TEST(Scenes, BoxesLieInThePicture) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::mt19937_64 random(seed);
    const Scene scene = drawScene({160, 120}, 1, random);
    ASSERT_EQ(scene.boxes.size(), 1u);
    const Box& box = scene.boxes[0].box;
    EXPECT_GE(box.x1, 0.0F);
    EXPECT_LE(box.x2, 1.0F);
    EXPECT_GE(box.y1, 0.0F);
    EXPECT_LE(box.y2, 1.0F);
    EXPECT_LT(scene.boxes[0].label, static_cast<int>(sceneLabels().size()));
  }
}

TEST(Scenes, RefuseSizesOutOfRange) {
  auto directory = TemporaryDirectory::create();
  SceneOptions options;
  options.size = {8, 100};
  EXPECT_FALSE(writeScenes(directory->path() / "a", options).ok());
  options.size = {100, 5000};
  EXPECT_FALSE(writeScenes(directory->path() / "a", options).ok());
  EXPECT_FALSE(std::filesystem::exists(directory->path() / "a"));
}

}  // namespace
}  // namespace narrows
