#include "narrows/cli/explore.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "narrows/base/file.h"
#include "narrows/bundle/bundle.h"
#include "narrows/cli/command.h"
#include "narrows/cli/deployed_design.h"
#include "narrows/cli/design.h"
#include "narrows/cli/report.h"
#include "narrows/cli/split.h"
#include "narrows/cli/split_recipe.h"
#include "narrows/vision/image.h"

namespace narrows {
namespace {

using Json = nlohmann::json;
constexpr unsigned kSeed = 8;

/// Pictures of random blocks in a folder of their own, and a store beside them.
class ExploreCommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto created = TemporaryDirectory::create("narrows-explore");
    ASSERT_TRUE(created.ok());
    directory_.emplace(std::move(*created));
    std::filesystem::create_directory(pictures());
    std::mt19937 random(kSeed);
    for (int i = 0; i < 6; ++i) {
      Image image = makeImage({80, 64});
      for (int block = 0; block < 12; ++block) {
        const std::size_t left = random() % 60, top = random() % 48;
        for (std::size_t y = top; y < top + 16; ++y) {
          for (std::size_t x = left; x < left + 20; ++x)
            image.rgb[(y * 80 + x) * 3 + random() % 3] = static_cast<std::uint8_t>(random());
        }
      }
      auto png = encodePng(image);
      ASSERT_TRUE(png.ok());
      ASSERT_TRUE(writeFileAtomically(pictures() / fmt::format("{}.png", i), *png).ok());
    }
  }

  std::filesystem::path pictures() const { return directory_->path() / "pictures"; }
  std::string store() const { return (directory_->path() / "runs.sqlite").string(); }

  /// The document that --json prints.
  Json explore(std::vector<std::string> extra) {
    std::vector<std::string> arguments{"zoo:mini-yolo",
                                       "--data",
                                       pictures().string(),
                                       "--store",
                                       store(),
                                       "--json",
                                       "--device",
                                       "raspberry-pi4",
                                       "--link",
                                       "wifi",
                                       "--link",
                                       "ble5",
                                       "--max-drop",
                                       "100",
                                       "--bits",
                                       "2,6",
                                       "--cut",
                                       "pool2",
                                       "--cut",
                                       "pool4",
                                       "--coder",
                                       "raw",
                                       "--coder",
                                       "context",
                                       "--threads",
                                       "1"};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    testing::internal::CaptureStdout();
    EXPECT_EQ(runExplore(arguments), kExitOk);
    return Json::parse(testing::internal::GetCapturedStdout());
  }

  std::optional<TemporaryDirectory> directory_;
};

TEST_F(ExploreCommandTest, ASecondRunMeasuresNothingAndSaysTheSame) {
  const Json first = explore({});
  EXPECT_EQ(first["work"]["accuracies"], 6);
  EXPECT_EQ(first["work"]["designs"], 7 + 6 * 2 * 2);
  EXPECT_FALSE(first["front"].empty());
  const Json second = explore({});
  EXPECT_EQ(second["work"]["accuracies_measured_in_this_run"], 0);
  EXPECT_EQ(second["front"], first["front"]);
  // Nothing was left out that belongs to the front.
  const Json all = explore({"--exhaustive"});
  EXPECT_EQ(all["work"]["accuracies_measured"], 6);
  EXPECT_EQ(all["front"], first["front"]);
}

TEST_F(ExploreCommandTest, SplitWritesTheBundleOfADesign) {
  const Json document = explore({"--exhaustive"});
  std::string id;
  std::string cut;
  for (const Json& row : document["front"]) {
    if (row["interface"] == "-") continue;
    id = row["id"];
    cut = row["cut"];
  }
  ASSERT_FALSE(id.empty()) << "no cut on the front, seed " << kSeed;
  const std::string bundle_path = (directory_->path() / "design").string();
  testing::internal::CaptureStdout();
  EXPECT_EQ(runSplit(std::vector<std::string>{"zoo:mini-yolo", "--design", id.substr(0, 8),
                                              "--store", store(), "--out", bundle_path}),
            kExitOk);
  testing::internal::GetCapturedStdout();
  auto bundle = readBundle(bundle_path);
  ASSERT_TRUE(bundle.ok()) << bundle.error().message;
  ASSERT_EQ(bundle->pieces.size(), 2u);
  const Graph& node = bundle->pieces[0];
  EXPECT_EQ(node.value(node.outputs()[0]).name, cut);

  // The same design for another network is refused.
  testing::internal::CaptureStderr();
  EXPECT_EQ(runSplit(std::vector<std::string>{"zoo:mini-yolo", "--seed", "2", "--design", id,
                                              "--store", store(), "--out", bundle_path + "2"}),
            kExitFailure);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("other weights"), std::string::npos);
}

TEST_F(ExploreCommandTest, BoundsLeaveOnlyWhatKeepsThem) {
  const Json document = explore({"--max-bytes", "2000", "--exhaustive"});
  for (const Json& row : document["front"]) EXPECT_LE(row["mean_bytes"].get<double>(), 2000);
}

TEST_F(ExploreCommandTest, RegimesNameAWinnerForEveryRateAndSpeed) {
  const Json document = explore({"--exhaustive", "--regimes"});
  ASSERT_EQ(document["regimes"].size(), 2u);
  for (const Json& map : document["regimes"]) {
    EXPECT_EQ(map["winners"].size(), map["link_factors"].size() * map["node_factors"].size());
    // The middle of the map is the setting itself.
    EXPECT_EQ(map["winners"][map["winners"].size() / 2], map["best"]);
  }
  // Giving up more accuracy only ever helps, and the last step is the best of all designs.
  ASSERT_EQ(document["sensitivity"].size(), 3u);
  const Json& latency = document["sensitivity"][1];
  EXPECT_EQ(latency["objective"], "latency");
  double drop = -1;
  double value = 1e9;
  for (const Json& step : latency["by_drop"]) {
    EXPECT_GT(step["drop_points"].get<double>(), drop);
    const double now = std::stod(step["value"].get<std::string>());
    EXPECT_LE(now, value);
    drop = step["drop_points"];
    value = now;
  }
  double least = 1e9;
  for (const Json& row : document["designs"]["rows"]) least = std::min(least, row[6].get<double>());
  EXPECT_NEAR(value, least, 0.01);
}

TEST_F(ExploreCommandTest, EveryDesignOfTheParetoSetHasATimelineOfItsLatency) {
  // Without an answer, which could wait for the next frame's message on the same link.
  const Json document = explore({"--exhaustive", "--answer-bytes", "0"});
  ASSERT_FALSE(document["front"].empty());
  for (const Json& row : document["front"]) {
    const Json& steps = document["timelines"].at(row["id"].get<std::string>());
    double end = 0;
    std::set<std::string> places;
    for (const Json& step : steps) {
      places.insert(step[1].get<std::string>());
      if (step[0] == 0) end = std::max(end, step[4].get<double>());
    }
    EXPECT_NEAR(end, row["latency_ms"].get<double>(), 1e-3) << row;
    EXPECT_EQ(places.contains("link"), row["link"] != "-") << row;
  }
}

TEST_F(ExploreCommandTest, AllDesignsBecomeATable) {
  const Json document = explore({"--exhaustive"});
  const std::string json = (directory_->path() / "explore.json").string();
  const std::string csv = (directory_->path() / "designs.csv").string();
  ASSERT_TRUE(writeFileAtomically(json, asBytes(document.dump())).ok());
  testing::internal::CaptureStdout();
  EXPECT_EQ(runReport(std::vector<std::string>{json, "--out", csv}), kExitOk);
  testing::internal::GetCapturedStdout();
  const auto text = readTextFile(csv);
  ASSERT_TRUE(text.ok()) << text.error().message;
  EXPECT_TRUE(text->starts_with("id,cut,interface,coder,link,mean_bytes,latency_ms,")) << *text;
  EXPECT_EQ(std::count(text->begin(), text->end(), '\n'),
            static_cast<std::ptrdiff_t>(1 + document["designs"]["rows"].size()));

  ASSERT_TRUE(writeFileAtomically(json, asBytes(std::string(R"({"designs": {"rows": []}})"))).ok());
  testing::internal::CaptureStderr();
  EXPECT_EQ(runReport(std::vector<std::string>{json, "--out", csv + ".csv"}), kExitFailure);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("columns and rows"), std::string::npos);
}

TEST(DesignPromise, IsReadBack) {
  const DesignPromise promise{
      "2Mbit/s",        Seconds(0.0425), 1234.5,          20.25,         61.5,          Joules(0.3),
      Seconds(0.00425), Seconds(0.01),   Seconds(0.0025), Seconds(0.02), Seconds(0.011)};
  const auto parsed = parsePromise(toJson(promise));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(toJson(*parsed), toJson(promise));
  EXPECT_EQ(parsed->bytes_error, 20.25);
  EXPECT_EQ(parsed->latency_error, promise.latency_error);
  EXPECT_EQ(parsed->server, promise.server);
  EXPECT_EQ(parsePromise("[]").error().message, "figures: expected a JSON object");
  EXPECT_EQ(parsePromise("{}").error().message, "figures: link: expected a name");
  EXPECT_EQ(parsePromise(R"({"link": "wifi", "latency_s": "x"})").error().message,
            "figures: latency_s: expected a number");
}

TEST(SplitRecipe, IsReadBack) {
  SplitRecipe recipe;
  recipe.cut = "a+\"b\"";
  recipe.bits = "3";
  recipe.calibration = {"/data", "train", 12};
  recipe.engine = "onednn";
  auto parsed = parseSplitRecipe(toJson(recipe));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(toJson(*parsed), toJson(recipe));
  EXPECT_EQ(parsed->calibration.pictures, 12u);
  EXPECT_EQ(toJson(recipe).find("bundle"), std::string::npos);
  recipe.bundle = "/store.trained/1.narrows";
  parsed = parseSplitRecipe(toJson(recipe));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed->bundle, recipe.bundle);
}

TEST(Design, TakesTheBestOfTheFirstGoal) {
  auto best = bestDesign(R"({"best": {"latency": "3fa9", "energy": "77"}})");
  ASSERT_TRUE(best.ok()) << best.error().message;
  EXPECT_EQ(*best, "3fa9");
  EXPECT_EQ(bestDesign("[]").error().message, "expected a JSON object");
  EXPECT_EQ(bestDesign("{}").error().message, "no design keeps to the bounds");
  EXPECT_EQ(bestDesign(R"({"best": {"latency": 3}})").error().message,
            "best: expected ids of designs");
}

TEST(SplitRecipe, SaysWhatIsWrong) {
  for (const auto& [text, expected] : std::vector<std::pair<std::string, std::string>>{
           {"", "JSON object"},
           {"[1]", "JSON object"},
           {"{}", "model: expected a string"},
           {R"({"model": "", "cut": 3})", "cut: expected a string"},
           {R"({"model":"","cut":"","picture":"","on_node":1})", "on_node: expected true or false"},
           {R"({"model":"","cut":"","picture":"","on_node":true,"jpeg_quality":-4})",
            "jpeg_quality: expected a whole number up to 100"}}) {
    const auto parsed = parseSplitRecipe(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_NE(parsed.error().message.find(expected), std::string::npos) << parsed.error().message;
  }
}

}  // namespace
}  // namespace narrows
