#include <gtest/gtest.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/table.h"
#ifdef NARROWS_WORKBENCH
#include "narrows/cli/cut_choice.h"
#include "narrows/cli/interface_options.h"
#include "narrows/cli/link_prices.h"
#include "narrows/cli/model_source.h"
#endif

namespace narrows {
namespace {

Table sampleTable() {
  Table table(
      {{"name", "name"}, {"bytes", "size B"}, {"share_percent", "share %", 1}, {"flag", "flag"}});
  table.add({std::string("a,\"b\""), std::int64_t{1234567}, 2.25, true});
  table.add({std::string("c"), Cell(), Cell(), false});
  return table;
}

TEST(Table, AlignsTextLeftAndNumbersRight) {
  EXPECT_EQ(sampleTable().terminal(),
            "name      size B  share %  flag\n"
            "a,\"b\"  1,234,567      2.2   yes\n"
            "c              -        -    no\n");
}

TEST(Table, QuotesCsv) {
  EXPECT_EQ(sampleTable().csv(),
            "name,bytes,share_percent,flag\n\"a,\"\"b\"\"\",1234567,2.25,true\nc,,,false\n");
}

TEST(Table, GivesJsonThatParses) {
  const auto rows = nlohmann::json::parse(sampleTable().json());
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["bytes"], 1234567);
  EXPECT_TRUE(rows[1]["share_percent"].is_null());
}

TEST(Table, SeparatesThousands) {
  EXPECT_EQ(withSeparators(0), "0");
  EXPECT_EQ(withSeparators(-1234), "-1,234");
  EXPECT_EQ(withSeparators(999), "999");
  EXPECT_EQ(withSeparators(1000000), "1,000,000");
}

TEST(Commands, HaveHelpWithAnExampleAndRefuseWrongUsage) {
  std::set<std::string_view> names;
  for (const Command& command : commands()) {
    EXPECT_TRUE(names.insert(command.name).second);
    const std::vector<std::string> help{"--help"};
    testing::internal::CaptureStdout();
    EXPECT_EQ(command.run(help), kExitOk) << command.name;
    const std::string text = testing::internal::GetCapturedStdout();
    EXPECT_NE(text.find("Example:"), std::string::npos) << command.name;
    EXPECT_NE(text.find(fmt::format("narrows {}", command.name)), std::string::npos)
        << command.name;
    const std::vector<std::string> wrong{"--no-such-option"};
    testing::internal::CaptureStderr();
    EXPECT_EQ(command.run(wrong), kExitUsage) << command.name;
    EXPECT_FALSE(testing::internal::GetCapturedStderr().empty());
  }
  EXPECT_TRUE(names.contains("node"));
}

TEST(Arguments, AnOptionThatMayBeRepeatedLeavesWhatFollowsToOthers) {
  Arguments parser("test", "A test.", "narrows test");
  std::vector<std::string> cuts;
  std::vector<int> qualities;
  std::vector<std::string> models;
  parser.app().add_option("--cut", cuts, "");
  parser.app().add_option("--quality", qualities, "")->delimiter(',');
  parser.app().add_option("MODEL", models, "");
  const std::vector<std::string> words = {"--cut", "a",         "--cut", "b",
                                          "net",   "--quality", "9,8",   "other"};
  EXPECT_EQ(parser.parse(words), Arguments::Outcome::run);
  EXPECT_EQ(cuts, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(qualities, (std::vector<int>{9, 8}));
  EXPECT_EQ(models, (std::vector<std::string>{"net", "other"}));
}

TEST(Commands, WhatALibraryThrowsIsAFailureWithOneLine) {
  const Command throwing{"price", "", [](std::span<const std::string>) -> int {
                           throw std::system_error(EPIPE, std::generic_category(),
                                                   "cannot write to file");
                         }};
  testing::internal::CaptureStderr();
  EXPECT_EQ(runCommand(throwing, {}), kExitFailure);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "narrows price: cannot write to file: Broken pipe\n");
}

#ifdef NARROWS_WORKBENCH

TEST(Bits, ListsAndRanges) {
  EXPECT_EQ(*parseBits("4"), (std::vector<int>{4}));
  EXPECT_EQ(*parseBits("1-3,8"), (std::vector<int>{1, 2, 3, 8}));
  EXPECT_EQ(*parseBits("2,2"), (std::vector<int>{2}));
  for (const char* wrong : {"", "0", "9", "3-1", "x", "1-", "1,", "-2", "4 "}) {
    EXPECT_FALSE(parseBits(wrong).ok()) << wrong;
  }
}

TEST(Coder, NameAndLevel) {
  EXPECT_EQ(parseCoder("zstd:19")->level, 19);
  EXPECT_EQ(coderName(*parseCoder("zstd:19")), "zstd:19");
  EXPECT_EQ(coderName(*parseCoder("zstd:max")), "zstd:22");
  EXPECT_EQ(coderName(*parseCoder("raw")), "raw");
  EXPECT_FALSE(parseCoder("zip").ok());
  EXPECT_FALSE(parseCoder("zstd:").ok());
}

TEST(CutChoice, ShowsTheNearestNames) {
  ModelOptions options;
  options.model = "zoo:mini-yolo";
  auto model = loadModel(options);
  ASSERT_TRUE(model.ok()) << model.error().message;
  const std::vector<std::string> wrong{"pol3"};
  auto cuts = chooseCuts(model->graph, wrong, 1);
  ASSERT_FALSE(cuts.ok());
  EXPECT_NE(cuts.error().message.find("\"pool3\""), std::string::npos) << cuts.error().message;
  const std::vector<std::string> right{"pool3"};
  EXPECT_TRUE(chooseCuts(model->graph, right, 1).ok());
  EXPECT_GT(chooseCuts(model->graph, {}, 2)->size(), chooseCuts(model->graph, {}, 1)->size());
}

TEST(ModelSource, DescribesTheNetworksOfTheZoo) {
  ModelOptions options;
  options.types_only = true;
  for (const char* name : {"alexnet", "efficientnetv2-s", "googlenet", "mobilenetv2", "resnet18",
                           "tiny-yolov3", "yolov10n", "yolov2"}) {
    options.model = fmt::format("zoo:{}@64", name);
    auto model = loadModel(options);
    ASSERT_TRUE(model.ok()) << model.error().message;
    auto description = requireDescription(*model);
    ASSERT_TRUE(description.ok());
    const Status checked = checkDescription(*description);
    EXPECT_TRUE(checked.ok()) << name << ": " << checked.error().message;
    EXPECT_EQ(outputCount(description->head), model->graph.outputs().size()) << name;
    EXPECT_EQ(description->preprocessing.width, 64);
    EXPECT_NE(zooSummary().find(fmt::format("zoo:{} ", name)), std::string::npos);
  }
}

TEST(ModelSource, SaysWhatIsWrong) {
  ModelOptions options;
  options.model = "/no/such/model.onnx";
  EXPECT_FALSE(loadModel(options).ok());
  options.model = "zoo:mini-yolo";
  options.weights = "x.weights";
  options.without_passes = {"no-such-pass"};
  EXPECT_FALSE(loadModel(options).ok());
}

TEST(Latency, AddsUpWhatTheDesignPassesThrough) {
  Design design;
  design.is_cut = true;
  design.mean_bytes = 125;
  design.node = milliseconds(10);
  design.encode = milliseconds(2);
  design.decode = milliseconds(1);
  design.server = milliseconds(4);
  LinkModel link;
  link.up = BitsPerSecond(1e6);
  link.down = BitsPerSecond(1e6);
  // 125 B up take 1 ms, the 128 B answer 1.024 ms.
  EXPECT_NEAR(toMilliseconds(latency(design, link, 1)), 10 + 2 + 1 + 1 + 4 + 1.024, 1e-9);
  EXPECT_NEAR(toMilliseconds(latency(design, link, 3)), 36 + 1 + 1 + 4 + 1.024, 1e-9);
  design.mean_bytes = 0;
  EXPECT_NEAR(toMilliseconds(latency(design, link, 1)), 12, 1e-9);
}

#endif

}  // namespace
}  // namespace narrows
