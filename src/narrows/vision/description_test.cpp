#include "narrows/vision/description.h"

#include <gtest/gtest.h>

namespace narrows {
namespace {

ModelDescription yolov3() {
  ModelDescription description;
  description.name = "tiny \"quoted\" \\ \n \x01";
  description.preprocessing.width = 64;
  description.preprocessing.height = 32;
  description.preprocessing.rule = ResizeRule::letterbox;
  description.preprocessing.anchor = LetterboxAnchor::top_left;
  description.preprocessing.resampling = Resampling::bilinear;
  description.preprocessing.order = ColorOrder::bgr;
  description.preprocessing.fill = 0;
  description.preprocessing.mean = {104, 117.5, 1e-5};
  description.preprocessing.scale = {1 / 3.0, 1, 1e20 / 1e18};
  description.head.kind = HeadKind::yolov3;
  description.head.classes = 2;
  description.head.outputs = {"a", "b"};
  description.head.anchors = {{{10, 20.5}, {1, 2}}, {{3, 4}}};
  description.head.scale_xy = {1.1, 1};
  description.head.score_threshold = 0.001;
  description.head.iou_threshold = 1;
  description.labels = {"dog", "\u00E9l\u00E9phant"};
  return description;
}

TEST(Description, FormatParsesBackToTheSame) {
  ModelDescription crop;
  crop.preprocessing.width = crop.preprocessing.height = 10;
  crop.preprocessing.rule = ResizeRule::crop;
  crop.preprocessing.resize_to = 12;
  crop.preprocessing.resize_both = true;
  crop.preprocessing.crop_fraction = 0.875;
  crop.head.kind = HeadKind::classification;
  crop.head.classes = 1000;
  crop.head.class_offset = 1;
  crop.head.softmax = false;
  ModelDescription ssd = yolov3();
  ssd.head.kind = HeadKind::ultraface_ssd;
  ssd.head.strides = {8, 16};
  ModelDescription bare;
  bare.preprocessing.width = bare.preprocessing.height = 1;
  for (const ModelDescription& description : {yolov3(), crop, ssd, bare}) {
    const std::string text = formatDescription(description);
    auto again = parseDescription(text, "again");
    ASSERT_TRUE(again.ok()) << again.error().message << "\n" << text;
    EXPECT_EQ(*again, description) << text;
  }
}

constexpr std::string_view kGood =
    "name = \"m\"\n"      // 1
    "[input]\n"           // 2
    "width = 8\n"         // 3
    "height = 8\n"        // 4
    "[head]\n"            // 5
    "kind = \"yolox\"\n"  // 6
    "classes = 2\n"       // 7
    "strides = [4]\n";    // 8

std::string errorOf(std::string text) {
  auto parsed = parseDescription(text, "MODEL.toml");
  return parsed.ok() ? "no error" : parsed.error().message;
}

std::string with(std::string_view from, std::string_view to) {
  std::string text(kGood);
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST(Description, ErrorsNameLineAndKey) {
  EXPECT_EQ(errorOf(std::string(kGood)), "no error");
  EXPECT_EQ(errorOf(with("width", "widht")), "MODEL.toml:2: input.width is missing");
  EXPECT_EQ(errorOf(with("height = 8", "height = 8\nheigth = 8")),
            "MODEL.toml:5: input.heigth is not a known key");
  EXPECT_EQ(errorOf(with("name = \"m\"", "name = \"m\"\nauthor = \"x\"")),
            "MODEL.toml:2: author is not a known key");
  EXPECT_EQ(errorOf(with("width = 8", "width = \"8\"")),
            "MODEL.toml:3: input.width: expected an integer");
  EXPECT_EQ(errorOf(with("width = 8", "width = 8.0")),
            "MODEL.toml:3: input.width: expected an integer");
  EXPECT_EQ(
      errorOf(with("\"yolox\"", "\"yolo9000\"")).find("MODEL.toml:6: head.kind: expected one of"),
      0U);
  EXPECT_EQ(errorOf(with("[head]", "mean = [1, 2]\n[head]")),
            "MODEL.toml:5: input.mean: expected three numbers");
  EXPECT_EQ(errorOf(with("[head]", "mean = [999999999999999999, 2, 3]\n[head]")),
            "MODEL.toml: input.mean is 1e+18; expected -1000000 to 1000000");
  EXPECT_EQ(errorOf(with("[head]", "resize_both = 1\n[head]")),
            "MODEL.toml:5: input.resize_both: expected true or false");
  EXPECT_EQ(errorOf(with("[4]", "[4,\n\"x\"]")), "MODEL.toml:9: head.strides: expected an integer");
  EXPECT_EQ(errorOf(with("classes = 2", "anchors = [[[1, 2], [3]]]\nclasses = 2")),
            "MODEL.toml:7: head.anchors: expected lists of [width, height], one list for each map");
  EXPECT_EQ(errorOf(with("classes = 2", "classes = 2\nclasses = 3")).find("MODEL.toml:8: "), 0U);
  EXPECT_EQ(errorOf("name = "), "MODEL.toml:1: " + errorOf("name = ").substr(14));
  EXPECT_EQ(errorOf("name = \"m\"\n"), "MODEL.toml:1: input is missing");
  EXPECT_EQ(errorOf("name = \"m\"\ninput = 1\n[head]\n"), "MODEL.toml:2: input: expected a table");
}

TEST(Description, RangesAreChecked) {
  EXPECT_EQ(errorOf(with("width = 8", "width = 0")),
            "MODEL.toml: input.width is 0; expected 1 to 8192");
  EXPECT_EQ(
      errorOf(with("width = 8", "width = 9223372036854775807")).find("MODEL.toml: input.width"),
      0U);
  EXPECT_EQ(errorOf(with("classes = 2", "classes = 0")),
            "MODEL.toml: head.classes is 0; expected 1 to 100000");
  EXPECT_EQ(errorOf(with("[4]", "[]")), "MODEL.toml: head.strides is missing");
  EXPECT_EQ(errorOf(with("[4]", "[0]")), "MODEL.toml: head.strides is 0; expected 1 to 8192");
  EXPECT_EQ(errorOf(with("[head]", "scale = [1, 1, nan]\n[head]")),
            "MODEL.toml: input.scale is nan; expected -1000000 to 1000000");
  EXPECT_EQ(errorOf(with("[head]", "fill = 256\n[head]")),
            "MODEL.toml: input.fill is -1; expected 0 to 255");
  EXPECT_EQ(errorOf(with("[head]", "resize_to = 7\n[head]")),
            "MODEL.toml: input.resize_to is 7; the crop needs at least 8");
  EXPECT_EQ(errorOf(with("classes = 2", "classes = 2\nscore_threshold = 1.5")),
            "MODEL.toml: head.score_threshold is 1.5; expected 0 to 1");
  EXPECT_EQ(errorOf(with("name = \"m\"", "name = \"m\"\nlabels = [\"a\"]")),
            "MODEL.toml: labels has 1 names; head.classes is 2");
  EXPECT_EQ(errorOf(with("classes = 2", "classes = 2\noutputs = [\"a\", \"b\"]")),
            "MODEL.toml: head.outputs has 2 names; yolox heads have 1");
  EXPECT_EQ(errorOf(with("\"yolox\"", "\"yolov3\"")),
            "MODEL.toml: head.anchors has 0 lists; expected one for each map");
}

TEST(Description, OversizedAndDeepTextIsRefused) {
  EXPECT_NE(errorOf(std::string(9U << 20, ' ')).find("a description has at most"),
            std::string::npos);
  EXPECT_NE(errorOf("name = " + std::string(100'000, '[')), "no error");
  EXPECT_NE(errorOf(with("\"m\"", "\"" + std::string(2000, 'm') + "\"")), "no error");
  EXPECT_NE(errorOf("name = \"\xFF\xFE\"\n"), "no error");
}

TEST(Description, EveryTruncationOfAGoodTextIsAnErrorOrADescription) {
  const std::string text = formatDescription(yolov3());
  for (std::size_t length = 0; length < text.size(); ++length) {
    auto parsed = parseDescription(std::string_view(text).substr(0, length), "cut");
    EXPECT_TRUE(parsed.ok() || parsed.error().message.find("cut") == 0) << length << " bytes";
  }
}

}  // namespace
}  // namespace narrows
