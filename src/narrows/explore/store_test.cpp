#include "narrows/explore/store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "narrows/base/file.h"

namespace narrows {
namespace {

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto created = TemporaryDirectory::create("narrows-store");
    ASSERT_TRUE(created.ok());
    directory_.emplace(std::move(*created));
    file_ = directory_->path() / "runs.sqlite";
  }

  Store open(const std::string& context = "{}") {
    auto store = Store::open(file_, context, {"1.0", "here", 7});
    EXPECT_TRUE(store.ok()) << store.error().message;
    return std::move(*store);
  }

  std::optional<TemporaryDirectory> directory_;
  std::filesystem::path file_;
};

const FrameRow kFrame{"conv1", "4 bit",       "zstd",       8, 1234.5, 20.25,
                      1300,    Seconds(1e-3), Seconds(2e-3)};

TEST_F(StoreTest, GivesBackWhatItWasGiven) {
  Store store = open();
  ASSERT_TRUE(store.addFrames("conv1", {Seconds(0.5), Seconds(0.25)}, {kFrame}).ok());
  ASSERT_TRUE(store.addAccuracy({"conv1", "4 bit", 61.25, 80}).ok());
  Store again = open();
  EXPECT_EQ(*again.frames(), std::vector<FrameRow>{kFrame});
  EXPECT_EQ(again.cutTimes()->at("conv1").server.value(), 0.25);
  EXPECT_EQ(again.accuracies()->at(0).primary, 61.25);
}

TEST_F(StoreTest, TheFirstRowStays) {
  Store store = open();
  ASSERT_TRUE(store.addAccuracy({"conv1", "4 bit", 61, 80}).ok());
  ASSERT_TRUE(store.addAccuracy({"conv1", "4 bit", 10, 20}).ok());
  ASSERT_EQ(store.accuracies()->size(), 1u);
  EXPECT_EQ(store.accuracies()->at(0).primary, 61);
}

TEST_F(StoreTest, ContextsDoNotMix) {
  Store store = open("a");
  ASSERT_TRUE(store.addAccuracy({"conv1", "4 bit", 61, 80}).ok());
  EXPECT_TRUE(open("b").accuracies()->empty());
}

TEST_F(StoreTest, AClaimHoldsAgainstAnotherHostAndAgainstTheLivingOnly) {
  Store store = open();
  EXPECT_TRUE(*store.claim("task"));
  EXPECT_TRUE(*store.claim("task"));
  auto elsewhere = Store::open(file_, "{}", {"1.0", "elsewhere", 7});
  ASSERT_TRUE(elsewhere.ok());
  EXPECT_FALSE(*elsewhere->claim("task"));
  ASSERT_TRUE(store.release("task").ok());
  EXPECT_TRUE(*elsewhere->claim("task"));
}

TEST_F(StoreTest, FindsDesignsByTheBeginningOfAnId) {
  Store store = open();
  ASSERT_TRUE(store.putDesigns({{"abc123", "{1}", "{}"}, {"abd456", "{2}", "{}"}}).ok());
  auto found = Store::findDesign(file_, "abc");
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ(found->recipe, "{1}");
  EXPECT_NE(Store::findDesign(file_, "ab").error().message.find("several"), std::string::npos);
  EXPECT_NE(Store::findDesign(file_, "x").error().message.find("no design"), std::string::npos);
  EXPECT_NE(Store::findDesign(file_, "").error().message.find("no design"), std::string::npos);
}

TEST_F(StoreTest, RefusesFilesThatAreNoStores) {
  const std::string text =
      "this is a file of text that is long enough to be looked at in earnest, "
      "and no database of any kind, whatever its name may say about it.";
  ASSERT_TRUE(writeFileAtomically(file_, asBytes(text)).ok());
  const auto store = Store::open(file_, "{}", {});
  ASSERT_FALSE(store.ok());
  EXPECT_NE(store.error().message.find("runs.sqlite"), std::string::npos);
  EXPECT_FALSE(Store::findDesign(directory_->path() / "absent.sqlite", "a").ok());

  const auto other = directory_->path() / "other.sqlite";
  auto database = Database::open(other);
  ASSERT_TRUE(database.ok());
  ASSERT_TRUE(database->execute("CREATE TABLE bills (sum REAL)").ok());
  const auto foreign = Store::open(other, "{}", {});
  ASSERT_FALSE(foreign.ok());
  EXPECT_NE(foreign.error().message.find("not one of narrows"), std::string::npos);
}

}  // namespace
}  // namespace narrows
