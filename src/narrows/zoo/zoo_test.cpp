#include "narrows/zoo/zoo.h"

#include <gtest/gtest.h>

#include "narrows/graph/cost.h"
#include "narrows/graph/cuts.h"

namespace narrows {
namespace {

TEST(Zoo, TinyYolov3HasThePublishedCounts) {
  auto model = buildZooModel("zoo:tiny-yolov3", 1);
  ASSERT_TRUE(model.ok()) << model.error().message;
  ASSERT_TRUE(verify(model->graph).ok());
  const Cost total = cost(model->graph);
  EXPECT_EQ(total.macs, 2'782'480'896);
  EXPECT_EQ(total.parameters, 8'852'366);
  EXPECT_EQ(model->graph.shape(model->graph.outputs()[0]), (Shape{1, 255, 13, 13}));
  EXPECT_EQ(model->graph.shape(model->graph.outputs()[1]), (Shape{1, 255, 26, 26}));
}

TEST(Zoo, TinyYolov3HasTheFiveCutsOfTheWaistStudy) {
  auto model = buildZooModel("zoo:tiny-yolov3", 1);
  ASSERT_TRUE(model.ok());
  // Map and millions of MACs so far at j = 1..5 (Tiny YOLOv3 at 416 x 416).
  const std::vector<std::pair<std::string, Shape>> expected{{"pool1", Shape{1, 16, 208, 208}},
                                                            {"pool2", Shape{1, 32, 104, 104}},
                                                            {"pool3", Shape{1, 64, 52, 52}},
                                                            {"pool4", Shape{1, 128, 26, 26}},
                                                            {"conv5.leaky", Shape{1, 256, 26, 26}}};
  const std::vector<double> macs{74.8, 274.1, 473.5, 672.8, 872.2};
  for (std::size_t j = 0; j < expected.size(); ++j) {
    auto cut = findCut(model->graph, expected[j].first);
    ASSERT_TRUE(cut.ok()) << cut.error().message;
    EXPECT_EQ(model->graph.shape(cut->values[0]), expected[j].second);
    EXPECT_NEAR(static_cast<double>(cut->before.macs) / 1e6, macs[j], 0.05);
  }
  EXPECT_FALSE(findCut(model->graph, "pool5").ok());
}

TEST(Zoo, OptionsChangeSizeClassesAndWidth) {
  auto model = buildZooModel("zoo:tiny-yolov3@224,classes=3,width=0.5", 1);
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(model->graph.shape(model->graph.outputs()[0]), (Shape{1, 24, 7, 7}));
  EXPECT_EQ(model->graph.shape(model->graph.findValue("pool1")), (Shape{1, 8, 112, 112}));
}

TEST(Zoo, TheSameSeedGivesTheSameWeights) {
  const auto weight = [](std::uint64_t seed) {
    auto model = buildZooModel("zoo:mini-yolo", seed);
    EXPECT_TRUE(model.ok());
    const auto values =
        model->graph.value(model->graph.findValue("conv1.weight")).constant->as<float>();
    return std::vector<float>(values.begin(), values.end());
  };
  EXPECT_EQ(weight(7), weight(7));
  EXPECT_NE(weight(7), weight(8));
}

TEST(Zoo, WrongNamesSayWhatWasExpected) {
  EXPECT_EQ(parseZooName("zoo:resnet").error().message,
            "zoo:resnet: there is no network \"resnet\"; there are mini-yolo, tiny-yolov3");
  EXPECT_EQ(parseZooName("zoo:mini-yolo@x").error().message,
            "zoo:mini-yolo@x: size \"x\" is no number");
  EXPECT_FALSE(parseZooName("zoo:mini-yolo,depth=3").ok());
  EXPECT_FALSE(parseZooName("zoo:mini-yolo,").ok());
  EXPECT_FALSE(parseZooName("tiny-yolov3").ok());
  EXPECT_EQ(buildZooModel("zoo:mini-yolo@100", 1).error().message,
            "zoo:mini-yolo@100: mini-yolo: size 100: expected a multiple of 32 up to 4096");
  EXPECT_FALSE(buildZooModel("zoo:mini-yolo,width=-1", 1).ok());
  EXPECT_FALSE(buildZooModel("zoo:mini-yolo,classes=99999999999999999999", 1).ok());
}

}  // namespace
}  // namespace narrows
