#include "narrows/data/dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "narrows/base/file.h"
#include "narrows/vision/image.h"
#include "tests/support/shared_data.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

/// A folder to build a data set in.
class DataSetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto directory = TemporaryDirectory::create("narrows-data");
    ASSERT_TRUE(directory.ok()) << directory.error().message;
    directory_.emplace(std::move(*directory));
  }
  const fs::path& root() const { return directory_->path(); }

  void write(const std::string& name, std::string_view text) {
    fs::create_directories((root() / name).parent_path());
    std::ofstream(root() / name, std::ios::binary) << text;
  }
  void writePicture(const std::string& name, ImageSize size = {8, 4}) {
    auto png = encodePng(makeImage(size));
    ASSERT_TRUE(png.ok());
    write(name, asText(*png));
  }
  std::string errorOf(const DataOptions& options = {}) {
    auto set = openDataSet(root(), options);
    return set.ok() ? "no error" : set.error().message;
  }

 private:
  std::optional<TemporaryDirectory> directory_;
};

DataSet open(const fs::path& path, const DataOptions& options = {}) {
  auto set = openDataSet(path, options);
  EXPECT_TRUE(set.ok()) << set.error().message;
  return set.ok() ? std::move(*set) : DataSet{};
}

TEST_F(DataSetTest, YoloBoxesAreCentresAndSizes) {
  writePicture("images/b.png");
  writePicture("images/a.PNG");
  write("labels/b.txt", "3 0.5 0.25 0.5 0.5\r\n\n0 0.25 0.75 0.25 0.25");
  const DataSet set = open(root());
  EXPECT_EQ(set.layout, DataLayout::yolo);
  EXPECT_EQ(set.truth, TruthKind::boxes);
  ASSERT_EQ(set.items.size(), 2U);
  EXPECT_EQ(set.items[0].name, "a");
  EXPECT_TRUE(set.items[0].boxes.empty());
  const std::vector<TruthBox> expected = {{3, {0.25F, 0, 0.75F, 0.5F}, false, false},
                                          {0, {0.125F, 0.625F, 0.375F, 0.875F}, false, false}};
  EXPECT_EQ(set.items[1].boxes, expected);
}

TEST_F(DataSetTest, YoloNamesComeFromTheModelOrTheSet) {
  writePicture("images/a.png");
  write("labels/a.txt", "1 0.5 0.5 1 1");
  EXPECT_TRUE(open(root()).labels.empty());
  write("labels.txt", "cat\ndog\n");
  EXPECT_EQ(open(root()).labels, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(open(root(), {.labels = {"x"}}).labels, std::vector<std::string>{"x"});
}

TEST_F(DataSetTest, YoloSplitsPreferVal) {
  writePicture("images/train2017/x.png");
  writePicture("images/val2017/y.png");
  write("labels/train2017/x.txt", "0 0.5 0.5 1 1\n");
  write("labels/val2017/y.txt", "1 0.5 0.5 1 1\n");
  EXPECT_EQ(open(root()).split, "val2017");
  EXPECT_EQ(open(root(), {.split = "train2017"}).items[0].boxes[0].label, 0);
  EXPECT_EQ(errorOf({.split = "test"}),
            (root() / "images").string() + ": no split 'test'; it has train2017, val2017");
}

TEST_F(DataSetTest, YoloErrorsNameFileAndLine) {
  writePicture("images/a.png");
  for (const auto& [line, expected] : std::vector<std::pair<std::string, std::string>>{
           {"1 0.5 0.5 0.5", "4 fields; expected class cx cy w h"},
           {"1 0.5 0.5 0.5 0.5 0.5", "6 fields; expected class cx cy w h"},
           {"-1 0.5 0.5 0.5 0.5", "class '-1'; expected an integer 0 to 99999"},
           {"1.5 0.5 0.5 0.5 0.5", "class '1.5'; expected an integer 0 to 99999"},
           {"99999999999 0.5 0.5 0.5 0.5", "class '99999999999'; expected an integer 0 to 99999"},
           {"1 0.5 nan 0.5 0.5", "'nan'; expected a share of the picture, 0 to 1"},
           {"1 320 0.5 0.5 0.5", "'320'; expected a share of the picture, 0 to 1"},
           {"1 0.5 0.5x 0.5 0.5", "'0.5x'; expected a share of the picture, 0 to 1"},
           {"1 0.5 0.5 -0.5 0.5", "a box of -0.5 x 0.5; expected no negative size"}}) {
    write("labels/a.txt", "0 0.5 0.5 0.5 0.5\n" + line);
    EXPECT_EQ(errorOf(), (root() / "labels/a.txt").string() + ":2: " + expected);
  }
}

constexpr std::string_view kVocHead =
    "<annotation><folder>../../etc</folder><filename>a.png</filename>"
    "<path>C:\\secret\\a.png</path>";

std::string vocObject(const std::string& name, const std::string& corners, bool difficult = false) {
  return "<object><name>" + name + "</name>" + (difficult ? "<difficult>1</difficult>" : "") +
         "<bndbox>" + corners + "</bndbox></object>";
}

TEST_F(DataSetTest, VocPixelsCountFromOneAndBothCornersBelong) {
  writePicture("JPEGImages/a.png", {10, 20});
  write("Annotations/a.xml",
        std::string(kVocHead) + "<size><width>10</width><height>20</height></size>" +
            vocObject("dog", "<xmin>1</xmin><ymin>1</ymin><xmax>10</xmax><ymax>20</ymax>") +
            vocObject("cat", "<xmax>5</xmax><ymax>6</ymax><xmin>3</xmin><ymin>6</ymin>", true) +
            "</annotation>");
  const DataSet set = open(root());
  EXPECT_EQ(set.layout, DataLayout::voc);
  EXPECT_EQ(set.labels, (std::vector<std::string>{"cat", "dog"}));
  const std::vector<TruthBox> expected = {{1, {0, 0, 1, 1}, false, false},
                                          {0, {0.2F, 0.25F, 0.5F, 0.3F}, true, false}};
  ASSERT_EQ(set.items.size(), 1U);
  EXPECT_EQ(set.items[0].boxes, expected);
  EXPECT_EQ(set.items[0].image, root() / "JPEGImages" / "a.png");

  EXPECT_EQ(open(root(), {.labels = {"dog", "cat"}}).items[0].boxes[0].label, 0);
  EXPECT_EQ(errorOf({.labels = {"dog"}}), "a: object 'cat' is none of the 1 labels");
}

TEST_F(DataSetTest, VocAsksThePictureWhenTheFileStatesNoSize) {
  writePicture("images/a.png", {10, 20});
  write("annotations/a.xml",
        std::string(kVocHead) + "<size><width>0</width><height>0</height></size>" +
            vocObject("dog", "<xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>10</ymax>") +
            "</annotation>");
  EXPECT_EQ(open(root()).items.at(0).boxes.at(0).box, (Box{0, 0, 0.5F, 0.5F}));
}

TEST_F(DataSetTest, VocListsMakeSplits) {
  for (const std::string name : {"a", "b"}) {
    writePicture("JPEGImages/" + name + ".png");
    write("Annotations/" + name + ".xml",
          "<annotation><size><width>8</width><height>4</height></size></annotation>");
  }
  write("ImageSets/Main/train.txt", "a\n");
  write("ImageSets/Main/test.txt", "b  1\n\n");
  EXPECT_EQ(open(root()).items.at(0).name, "b");
  EXPECT_EQ(open(root(), {.split = "train"}).items.at(0).name, "a");
  write("ImageSets/Main/test.txt", "../b\n");
  EXPECT_EQ(errorOf(),
            (root() / "ImageSets/Main/test.txt").string() + ":1: expected the name of a picture");
}

TEST_F(DataSetTest, VocErrorsNameFileAndPlace) {
  writePicture("JPEGImages/a.png");
  const std::string size = "<size><width>8</width><height>4</height></size>";
  for (const auto& [text, expected] : std::vector<std::pair<std::string, std::string>>{
           {"<annotation>", "offset"},
           {"<other/>", "the root element is not <annotation>"},
           {"<annotation>" + size +
                vocObject("", "<xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax>") +
                "</annotation>",
            "an object needs a <name>"},
           {"<annotation>" + size + vocObject("d", "<xmin>1</xmin><ymin>1</ymin><xmax>2</xmax>") +
                "</annotation>",
            "<ymax> is missing"},
           {"<annotation>" + size +
                vocObject("d", "<xmin>nan</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax>") +
                "</annotation>",
            "<xmin> is 'nan'"},
           {"<annotation>" + size +
                vocObject("d", "<xmin>3</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax>") +
                "</annotation>",
            "box 3 1 2 2 ends before it begins"},
           {"<annotation><size><width>1e300</width><height>4</height></size></annotation>",
            "<width> is '1e300'"}}) {
    write("Annotations/a.xml", text);
    const std::string error = errorOf();
    EXPECT_NE(error.find("Annotations/a.xml"), std::string::npos) << error;
    EXPECT_NE(error.find(expected), std::string::npos) << error << " for " << text;
  }
}

TEST_F(DataSetTest, ClassFoldersAreNumberedInAlphabeticOrder) {
  writePicture("zebra/1.png");
  writePicture("ant/2.png");
  writePicture("ant/1.png");
  fs::create_directories(root() / ".cache");
  const DataSet set = open(root());
  EXPECT_EQ(set.layout, DataLayout::class_folders);
  EXPECT_EQ(set.labels, (std::vector<std::string>{"ant", "zebra"}));
  ASSERT_EQ(set.items.size(), 3U);
  EXPECT_EQ(set.items[0].image, root() / "ant" / "1.png");
  EXPECT_EQ(set.items[2].label, 1);
  EXPECT_EQ(open(root(), {.limit = 2}).items.size(), 2U);
}

TEST_F(DataSetTest, ClassFoldersBelowSplits) {
  writePicture("train/ant/1.png");
  writePicture("test/ant/1.png");
  writePicture("test/bee/1.png");
  const DataSet set = open(root());
  EXPECT_EQ(set.split, "test");
  EXPECT_EQ(set.labels.size(), 2U);
  EXPECT_EQ(open(root(), {.split = "train"}).items.size(), 1U);
}

TEST_F(DataSetTest, TinyImageNet) {
  write("wnids.txt", "n2\nn1\n");
  writePicture("train/n1/images/n1_0.png");
  writePicture("train/n2/images/n2_0.png");
  writePicture("val/images/val_0.png");
  write("val/val_annotations.txt", "val_0.png\tn2\t0\t0\t62\t62\n");
  const DataSet set = open(root());
  EXPECT_EQ(set.layout, DataLayout::tiny_imagenet);
  ASSERT_EQ(set.items.size(), 1U);
  EXPECT_EQ(set.items[0].label, 1);
  EXPECT_EQ(open(root(), {.split = "train"}).items.size(), 2U);
  write("val/val_annotations.txt", "val_0.png\tn3\t0\t0\t62\t62\n");
  EXPECT_NE(errorOf().find("val_annotations.txt:1: expected a file and one of the 2 synsets"),
            std::string::npos);
}

TEST_F(DataSetTest, LabelsTsv) {
  writePicture("images/x.png");
  write("labels.tsv", "7\tx.png\ttench\n");
  const DataSet set = open(root());
  EXPECT_EQ(set.layout, DataLayout::labels_tsv);
  EXPECT_EQ(set.items.at(0).label, 7);
  EXPECT_EQ(set.labels.at(7), "tench");
  for (const std::string bad : {"x\tx.png\ttench", "1\t../x.png\ta", "1\tx.png", "-1\tx.png\ta"}) {
    write("labels.tsv", bad);
    EXPECT_NE(errorOf().find("labels.tsv:1: expected class index"), std::string::npos) << bad;
  }
}

TEST_F(DataSetTest, ShuffledRangesPartTheSet) {
  for (int i = 0; i < 10; ++i) writePicture("picture" + std::to_string(i) + ".png");
  const auto names = [&](const std::string& split, std::size_t limit = 0) {
    DataOptions options;
    options.split = split;
    options.limit = limit;
    std::vector<std::string> found;
    for (const DataItem& item : open(root(), options).items) found.push_back(item.name);
    return found;
  };
  const auto first = names("shuffled:0-7@3");
  auto all = first;
  for (const std::string& name : names("shuffled:7-10@3")) all.push_back(name);
  EXPECT_EQ(first.size(), 7U);
  EXPECT_EQ(names("shuffled:0-10@3"), all);
  EXPECT_EQ(names("shuffled:0-7@3", 2), (std::vector<std::string>{all[0], all[1]}));
  EXPECT_NE(names("shuffled:0-10@4"), all);
  EXPECT_EQ(names("shuffled:0-10"), names("shuffled:0-10@1"));
  EXPECT_FALSE(std::is_sorted(all.begin(), all.end()));
  std::sort(all.begin(), all.end());
  EXPECT_EQ(names(""), all);

  const auto error = [&](const std::string& split) {
    DataOptions options;
    options.split = split;
    return errorOf(options);
  };
  for (const char* wrong : {"shuffled:", "shuffled:3", "shuffled:5-5", "shuffled:-1-2",
                            "shuffled:0-2@", "shuffled:0-2@x", "shuffled:0-2x"}) {
    EXPECT_EQ(error(wrong), std::string("split \"") + wrong +
                                "\": expected shuffled:A-B or shuffled:A-B@SEED with A < B");
  }
  EXPECT_EQ(error("shuffled:0-11"),
            root().string() + ": split \"shuffled:0-11\" of a set of 10 pictures");
}

TEST_F(DataSetTest, PlainPicturesAndOneFile) {
  writePicture("b.png");
  writePicture("a.png");
  write("notes.txt", "not a picture");
  const DataSet set = open(root());
  EXPECT_EQ(set.layout, DataLayout::pictures);
  EXPECT_EQ(set.truth, TruthKind::none);
  ASSERT_EQ(set.items.size(), 2U);
  EXPECT_EQ(set.items[0].name, "a");
  EXPECT_EQ(open(root() / "b.png").items.size(), 1U);
  auto image = readImage(root() / "b.png");
  ASSERT_TRUE(image.ok());
  EXPECT_EQ(image->size(), (ImageSize{8, 4}));
  EXPECT_FALSE(readImage(root() / "notes.txt").ok());
}

TEST_F(DataSetTest, EmptyAndMissing) {
  EXPECT_NE(errorOf().find("no pictures"), std::string::npos);
  auto missing = openDataSet(root() / "nothing");
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("neither a file nor a folder"), std::string::npos);
}

TEST(DataLayoutNames, ParseBack) {
  for (auto layout :
       {DataLayout::automatic, DataLayout::yolo, DataLayout::voc, DataLayout::class_folders,
        DataLayout::tiny_imagenet, DataLayout::labels_tsv, DataLayout::pictures}) {
    EXPECT_EQ(parseDataLayout(toString(layout)), layout);
  }
  EXPECT_FALSE(parseDataLayout("cocoa").has_value());
}

std::size_t boxCount(const DataSet& set) {
  std::size_t count = 0;
  for (const DataItem& item : set.items) count += item.boxes.size();
  return count;
}

DataSet openShared(const std::string& name, const DataOptions& options = {}) {
  auto path = test::unpackedDataset(name);
  EXPECT_TRUE(path.ok()) << path.error().message;
  return open(*path, options);
}

// Counts as the data's own README states them, except where noted.
TEST(SharedDataSets, HaveTheStatedCounts) {
  NARROWS_REQUIRE_SHARED();
  const DataSet val = openShared("coco128");
  const DataSet train = openShared("coco128", {.split = "train2017"});
  EXPECT_EQ(val.items.size() + train.items.size(), 256U);
  // 1,839 boxes in the label files; the 12 of two files belong to pictures that the set lacks.
  EXPECT_EQ(boxCount(val) + boxCount(train), 1827U);
  std::size_t cells = 0;
  for (const auto& [split, pictures] : std::vector<std::pair<std::string, std::size_t>>{
           {"train", 205}, {"val", 87}, {"test", 72}}) {
    const DataSet set = openShared("bccd-voc", {.split = split});
    EXPECT_EQ(set.items.size(), pictures);
    cells += boxCount(set);
  }
  EXPECT_EQ(cells, 4888U);

  const DataSet raccoons = openShared("raccoon-voc");
  EXPECT_EQ(raccoons.items.size(), 200U);
  EXPECT_EQ(boxCount(raccoons), 217U);
  EXPECT_EQ(raccoons.labels, std::vector<std::string>{"raccoon"});
}

TEST(SharedDataSets, OfClasses) {
  NARROWS_REQUIRE_SHARED();
  const DataSet samples = openShared("imagenet-1k-samples-256");
  EXPECT_EQ(samples.layout, DataLayout::labels_tsv);
  EXPECT_EQ(samples.items.size(), 1000U);
  EXPECT_EQ(samples.labels.size(), 1000U);
  const DataSet cifar = openShared("cifar10-test-jpg");
  EXPECT_EQ(cifar.layout, DataLayout::class_folders);
  EXPECT_EQ(cifar.items.size(), 10'000U);
  EXPECT_EQ(cifar.labels.front(), "airplane");
  EXPECT_EQ(openShared("tiny-imagenet-subset").items.size(), 5000U);
  EXPECT_EQ(openShared("tiny-imagenet-subset", {.split = "train"}).items.size(), 8000U);
}

}  // namespace
}  // namespace narrows
