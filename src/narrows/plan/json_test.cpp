#include "narrows/plan/json.h"

#include <gtest/gtest.h>

#include <random>

#include "narrows/graph/random_graph.h"
#include "narrows/plan/split.h"

namespace narrows {
namespace {

void expectEqual(const Plan& a, const Plan& b) {
  EXPECT_EQ(a.inputs, b.inputs);
  EXPECT_EQ(a.outputs, b.outputs);
  EXPECT_EQ(a.source_device, b.source_device);
  EXPECT_EQ(a.sink_device, b.sink_device);
  EXPECT_EQ(a.interfaces, b.interfaces);
  ASSERT_EQ(a.devices.size(), b.devices.size());
  for (std::size_t i = 0; i < a.devices.size(); ++i) {
    EXPECT_EQ(a.devices[i].name, b.devices[i].name);
  }
  ASSERT_EQ(a.pieces.size(), b.pieces.size());
  for (std::size_t i = 0; i < a.pieces.size(); ++i) {
    EXPECT_EQ(a.pieces[i].name, b.pieces[i].name);
    EXPECT_EQ(a.pieces[i].device, b.pieces[i].device);
    EXPECT_EQ(a.pieces[i].inputs, b.pieces[i].inputs);
    EXPECT_EQ(a.pieces[i].outputs, b.pieces[i].outputs);
  }
  ASSERT_EQ(a.transfers.size(), b.transfers.size());
  for (std::size_t i = 0; i < a.transfers.size(); ++i) {
    EXPECT_EQ(a.transfers[i].source, b.transfers[i].source);
    EXPECT_EQ(a.transfers[i].from, b.transfers[i].from);
    EXPECT_EQ(a.transfers[i].destination, b.transfers[i].destination);
    EXPECT_EQ(a.transfers[i].to, b.transfers[i].to);
    EXPECT_EQ(a.transfers[i].mode, b.transfers[i].mode);
    EXPECT_EQ(a.transfers[i].interface, b.transfers[i].interface);
  }
}

/// A quantizer with odd numbers that fits the type.
FeatureInterface randomInterface(const TensorType& type, std::mt19937& random) {
  FeatureInterface feature;
  feature.type = type;
  if (random() % 2 == 0) feature.max_frame_bytes = kSmallestFrameLimit + random() % 100'000;
  if (random() % 2 == 0) feature.key_interval = 1 + random() % kMaxKeyInterval;
  feature.coder.kind = static_cast<CoderKind>(random() % 5);
  if (feature.coder.kind == CoderKind::context) {
    feature.coder.tables.resize(random() % 40);
    for (std::byte& byte : feature.coder.tables) byte = static_cast<std::byte>(random() & 255);
  }
  feature.quantizer.kind = static_cast<QuantizerKind>(random() % 4);
  if (feature.quantizer.kind == QuantizerKind::none) return feature;
  feature.quantizer.bits =
      feature.quantizer.kind == QuantizerKind::two_level ? 1 : 1 + static_cast<int>(random() % 8);
  if (feature.quantizer.kind == QuantizerKind::levels) {
    feature.quantizer.granularity = Granularity::tensor;
    float level = -1.0F / static_cast<float>(1 + random() % 1000);
    for (int i = 0; i < 1 << feature.quantizer.bits; ++i) {
      feature.quantizer.levels.push_back(level);
      level += 1.0F / static_cast<float>(1 + random() % 1000);
    }
    return feature;
  }
  feature.quantizer.granularity = random() % 2 == 0 ? Granularity::tensor : Granularity::channel;
  const std::size_t count = feature.quantizer.granularity == Granularity::tensor
                                ? 1
                                : static_cast<std::size_t>(type.shape[1]);
  for (std::size_t i = 0; i < count; ++i) {
    feature.quantizer.low.push_back(-1.0F / static_cast<float>(1 + random() % 1000));
    feature.quantizer.step.push_back(1.0F / static_cast<float>(1 + random() % 1000));
  }
  return feature;
}

Plan somePlan(std::uint32_t seed = 8) {
  const Graph graph = randomGraph(seed);
  const auto cuts = multiTensorCuts(graph, {2, 100'000, 100}).cuts;
  NARROWS_ASSERT(!cuts.empty());
  std::mt19937 random(seed);
  const Cut& cut = cuts[random() % cuts.size()];
  std::vector<FeatureInterface> interfaces;
  for (ValueId value : cut.values) {
    interfaces.push_back(randomInterface(graph.type(value), random));
  }
  auto split = splitAt(graph, cut, std::move(interfaces));
  NARROWS_ASSERT(split.ok());
  return std::move(split->plan);
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const std::size_t at = text.find(what);
  NARROWS_ASSERT(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

std::string problemOf(std::string_view text) {
  auto plan = parsePlan(text);
  return plan.ok() ? "" : plan.error().message;
}

TEST(PlanJson, ReadsBackWhatItWrote) {
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Graph graph = randomGraph(seed);
    if (multiTensorCuts(graph, {2, 100'000, 100}).cuts.empty()) continue;
    const Plan plan = somePlan(seed);
    auto read = parsePlan(formatPlan(plan));
    ASSERT_TRUE(read.ok()) << read.error().message;
    expectEqual(plan, *read);
    EXPECT_EQ(formatPlan(*read), formatPlan(plan));
  }
}

TEST(PlanJson, KeepsAStandby) {
  Plan plan = somePlan();
  plan.devices[0].standby = DeviceId(1);
  auto read = parsePlan(formatPlan(plan));
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->devices[0].standby, DeviceId(1));
  EXPECT_FALSE(read->devices[1].standby.valid());
  const std::string itself =
      replaced(formatPlan(plan), "\"standby\": \"server\"", "\"standby\": \"node\"");
  EXPECT_NE(problemOf(itself).find("devices[0].standby"), std::string::npos) << problemOf(itself);
}

TEST(PlanJson, KeepsAnImageInterface) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 3, 4, 4}});
  auto y = graph.add(Unary{UnaryKind::relu}, {x}, "y");
  ASSERT_TRUE(graph.setOutputs({*y}).ok());
  auto split = allOnServer(graph, {ImageCoding::jpeg, 75});
  ASSERT_TRUE(split.ok());
  auto read = parsePlan(formatPlan(split->plan));
  ASSERT_TRUE(read.ok()) << read.error().message;
  expectEqual(split->plan, *read);
}

TEST(PlanJson, ErrorsNameThePath) {
  const std::string text = formatPlan(somePlan());
  ASSERT_EQ(problemOf(text), "");
  EXPECT_EQ(problemOf(replaced(text, "\"mode\": \"copy\"", "\"mode\": \"move\"")),
            "plan.json: transfers[0].mode: expected \"copy\" or \"add\", found \"move\"");
  EXPECT_EQ(problemOf(replaced(text, "\"version\": 1", "\"version\": 2")),
            "plan.json: version: version 2, this program reads 1");
  EXPECT_EQ(problemOf(replaced(text, "narrows-plan", "plan")),
            "plan.json: format: expected \"narrows-plan\", found \"plan\"");
  EXPECT_EQ(
      problemOf(replaced(text, "\"to\"", "\"too\"")),
      "plan.json: transfers[0]: unknown key \"too\"; known are source, from, destination, to, "
      "mode, interface");
  EXPECT_EQ(problemOf(replaced(text, "\"to\": [[0, 1]", "\"to\": [[1, 0]"))
                .rfind("plan.json: transfers[0].to: ", 0),
            0u);
  EXPECT_EQ(problemOf(replaced(text, "\"source_device\": \"node\"", "\"source_device\": \"n\"")),
            "plan.json: source_device: there is no device \"n\"");
  EXPECT_EQ(problemOf(replaced(text, "\"dtype\": \"f32\"", "\"dtype\": \"f31\"")),
            "plan.json: inputs[0].dtype: there is no dtype \"f31\"");
  EXPECT_EQ(problemOf(replaced(text, "\"shape\": [1", "\"shape\": [-1")),
            "plan.json: inputs[0].shape[0]: expected an integer from 0 to 1099511627776, found -1");
}

TEST(PlanJson, ChecksThePlanItReads) {
  const std::string text = formatPlan(somePlan());
  const std::size_t last = text.rfind("\"to\": [[0, 1]");
  const std::string wrong = text.substr(0, last) + replaced(text.substr(last), "[0, 1]", "[0, 9]");
  EXPECT_EQ(problemOf(wrong).rfind("plan.json: ", 0), 0u) << problemOf(wrong);
}

TEST(PlanJson, EveryPrefixAndManyDamagedTextsAreErrorsOrPlans) {
  const std::string text = formatPlan(somePlan());
  for (std::size_t size = 0; size + 2 < text.size(); size += 7) {
    EXPECT_NE(problemOf(text.substr(0, size)), "") << size;
  }
  std::mt19937 random(3);
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = text;
    const int edits = 1 + static_cast<int>(random() % 3);
    for (int edit = 0; edit < edits; ++edit) {
      damaged[random() % damaged.size()] = "0129-.,:[]{}\"aex \\\x01\xff"[random() % 20];
    }
    const auto plan = parsePlan(damaged);  // must neither crash nor give an invalid plan
    if (plan.ok()) {
      EXPECT_TRUE(checkPlan(*plan).ok());
    }
  }
}

}  // namespace
}  // namespace narrows
