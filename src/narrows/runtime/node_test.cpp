#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "narrows/runtime/test_cluster.h"

namespace narrows {
namespace {

using test::Cluster;
using test::must;
using test::referenceNode;
using test::SmallHead;

std::vector<std::shared_ptr<const Bundle>> allBundles() {
  return {test::smallSplit(SmallHead::yolov2),
          test::smallSplit(SmallHead::classification, true),
          test::smallSplit(SmallHead::none),
          test::smallImageBundle(SmallHead::yolov2, {ImageCoding::raw, 90}),
          test::smallImageBundle(SmallHead::classification, {ImageCoding::jpeg, 80}),
          test::smallImageBundle(SmallHead::yolov2, {ImageCoding::original, 90}),
          test::tiledBundle()};
}

/// What one process gives, as a node would record it.
std::vector<OutputSummary> expectedOutputs(const std::shared_ptr<const Bundle>& bundle,
                                           std::uint64_t seed) {
  auto pipeline = must(LocalPipeline::create(bundle, test::referencePipeline()));
  Picture picture = Picture::fromImage(test::smallPicture(seed));
  EXPECT_OK(pipeline.run(picture));
  std::vector<OutputSummary> outputs;
  for (std::size_t i = 0; i < pipeline.outputs().size(); ++i) {
    outputs.push_back(summarize(bundle->plan.outputs[i].name, pipeline.outputs()[i]));
  }
  return outputs;
}

TEST(EdgeNode, AnswersEqualOneProcessForEveryKindOfInterface) {
  for (const auto& bundle : allBundles()) {
    Cluster cluster(bundle);
    cluster.makeNode(referenceNode());
    test::SeededSource source(5);
    const test::NodeRun run = test::runNode(cluster.node(), source);
    test::expectAnsweredOnce(run, test::expectedPredictions(bundle, 5));
    EXPECT_EQ(run.summary.by_server, 5U);
    EXPECT_TRUE(run.events.empty());
    if (bundle->description.head.kind == HeadKind::none) {
      EXPECT_EQ(run.records[2].outputs, expectedOutputs(bundle, 2));
    }
    for (const FrameRecord& record : run.records) {
      EXPECT_GT(record.frame_bytes, 0U);
      EXPECT_GT(record.wire_bytes, static_cast<double>(record.frame_bytes));
      EXPECT_GT(record.reply_bytes, 0);
      EXPECT_EQ(record.attempts, 1);
    }
  }
}

TEST(EdgeNode, WorkingAheadChangesNothing) {
  Cluster cluster(test::smallSplit(SmallHead::yolov2));
  EdgeNodeOptions options = referenceNode();
  options.depth = 4;
  cluster.makeNode(options);
  test::SeededSource source(20);
  const test::NodeRun run = test::runNode(cluster.node(), source);
  test::expectAnsweredOnce(run, test::expectedPredictions(cluster.bundle(), 20));
}

TEST(EdgeNode, PlanOfTheNodeAloneNeedsNoServer) {
  const auto bundle = test::smallNodeBundle(SmallHead::yolov2);
  ManualClock clock;
  auto node = must(EdgeNode::create(bundle, referenceNode(), nullptr, clock));
  test::SeededSource source(3);
  const test::NodeRun run = test::runNode(*node, source);
  test::expectAnsweredOnce(run, test::expectedPredictions(bundle, 3));
  EXPECT_EQ(run.summary.by_node, 3U);
  EXPECT_EQ(run.records[0].frame_bytes, 0U);
}

TEST(EdgeNode, FinishesHereWhileTheServerIsAwayAndReturnsToIt) {
  for (const auto& bundle : {test::smallSplit(SmallHead::yolov2), test::tiledBundle()}) {
    Cluster cluster(bundle);
    cluster.makeNode(referenceNode());
    test::SeededSource source(60);
    source.before([&](std::size_t index) {
      if (index == 10) cluster.stopServer();
      if (index == 20) cluster.restartServer();
      cluster.clock().sleep(milliseconds(200));
    });
    const test::NodeRun run = test::runNode(cluster.node(), source);
    test::expectAnsweredOnce(run, test::expectedPredictions(bundle, 60));
    for (std::size_t i = 0; i < 10; ++i) {
      EXPECT_EQ(run.records[i].answered, AnsweredBy::server) << i;
    }
    for (std::size_t i = 10; i < 20; ++i) {
      EXPECT_EQ(run.records[i].answered, AnsweredBy::fallback) << i;
      // Within the deadline for the one that met the loss, at once for the others.
      EXPECT_LE(run.records[i].total, i == 10 ? Seconds(2) : milliseconds(1)) << i;
    }
    EXPECT_EQ(run.records[59].answered, AnsweredBy::server);
    ASSERT_EQ(run.events.size(), 2U);
    EXPECT_EQ(run.events[0].kind, NodeEvent::Kind::server_lost);
    EXPECT_EQ(run.events[0].frame, 10U);
    EXPECT_EQ(run.events[1].kind, NodeEvent::Kind::server_back);
  }
}

TEST(EdgeNode, WithoutTheTailItTriesUntilTheServerIsBack) {
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  Cluster cluster(bundle);
  cluster.makeNode(referenceNode(), {}, 1, test::withoutDevice(*bundle, "server"));
  EXPECT_FALSE(cluster.node().canFinish());
  // The server comes back while the node tries: the clock moves only by the node's own pauses.
  class Reviving : public FrameSource {
   public:
    explicit Reviving(Cluster& cluster) : cluster_(cluster), inner_(6) {}
    Result<std::optional<SourceFrame>> next() override {
      if (++calls_ == 3) cluster_.stopServer();
      if (calls_ == 4) cluster_.restartServer();
      return inner_.next();
    }
    std::optional<std::size_t> count() const override { return 6; }

   private:
    Cluster& cluster_;
    test::SeededSource inner_;
    int calls_ = 0;
  } source(cluster);
  const test::NodeRun run = test::runNode(cluster.node(), source);
  const auto expected = test::expectedPredictions(bundle, 6);
  ASSERT_EQ(run.records.size(), 6U);
  EXPECT_EQ(run.records[2].answered, AnsweredBy::nobody);
  EXPECT_NE(run.records[2].error.find("unavailable"), std::string::npos);
  EXPECT_GT(run.records[2].attempts, 10);
  EXPECT_LE(run.records[2].total, Seconds(30));
  for (const std::size_t i : {0, 1, 3, 4, 5}) {
    EXPECT_EQ(run.records[i].answered, AnsweredBy::server) << i;
    EXPECT_EQ(run.records[i].prediction, expected[i]);
  }
  EXPECT_EQ(run.summary.failed, 1U);
}

/// Hundreds of frames over a transport that drops, delays, doubles and damages: each is answered
/// once and right, the server computes none twice, and a second run is the same to the record.
/// With the last seed the server alone can finish a frame.
TEST(EdgeNode, EveryFrameIsAnsweredOnceOverABadLink) {
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  const auto expected = test::expectedPredictions(bundle, 150);
  for (const std::uint64_t seed : {1, 2, 3}) {
    SCOPED_TRACE(seed);
    std::vector<std::string> lines;
    for (int repeat = 0; repeat < 2; ++repeat) {
      Cluster cluster(bundle);
      FaultRates rates;
      rates.drop = 0.08;
      rates.delay = 0.2;
      rates.max_delay = milliseconds(900);
      rates.duplicate = 0.1;
      rates.corrupt = 0.1;
      EdgeNodeOptions options = referenceNode();
      options.server.deadline = milliseconds(800);
      // Time between pictures, so that a node which finished some here asks for the server again.
      options.interval = milliseconds(500);
      options.fallback = seed != 3;
      cluster.makeNode(options, rates, seed);
      test::SeededSource source(150);
      test::NodeRun run = test::runNode(cluster.node(), source);
      test::expectAnsweredOnce(run, expected);
      EXPECT_GT(run.summary.by_server, 75U);
      EXPECT_LE(cluster.service().counters().answered, 150U);
      EXPECT_GT(cluster.service().counters().repeated, 0U);
      std::vector<std::string> now;
      for (FrameRecord& record : run.records) {
        // Measured on this machine; all else follows from the seed.
        record.prepare = record.node = record.encode = record.finish = record.server = Seconds();
        now.push_back(toJson(record, {}));
      }
      if (repeat == 1) {
        EXPECT_TRUE(now == lines) << "the same seed gave other records";
      }
      lines = std::move(now);
    }
  }
}

TEST(EdgeNode, EmulatedLinkTakesItsTime) {
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  Cluster cluster(bundle);
  EdgeNodeOptions options = referenceNode();
  options.server.link = must(parseLink("ble5"));
  cluster.makeNode(options);
  test::SeededSource source(3);
  const test::NodeRun run = test::runNode(cluster.node(), source);
  test::expectAnsweredOnce(run, test::expectedPredictions(bundle, 3));
  for (const FrameRecord& record : run.records) {
    // All that the clock shows is the link; the rest takes no manual time.
    EXPECT_NEAR(record.total.value(), record.link.value(), 1e-9);
    const double packets = (record.wire_bytes + record.reply_bytes) / 262;
    EXPECT_GT(record.link.value(), 2 * 7.5e-3 + packets * 1.0e-3);
    EXPECT_LT(record.link.value(), 2 * 7.5e-3 + (packets + 2) * 1.5e-3);
  }
}

TEST(EdgeNode, PicturesComeAtTheirPace) {
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  Cluster cluster(bundle);
  EdgeNodeOptions options = referenceNode();
  options.interval = milliseconds(100);
  cluster.makeNode(options);
  test::SeededSource source(5);
  std::vector<double> times;
  source.before([&](std::size_t index) {
    times.push_back(cluster.clock().now().value());
    // One is late; those after it keep the distance and none is left out.
    if (index == 2) cluster.clock().sleep(milliseconds(250));
  });
  const test::NodeRun run = test::runNode(cluster.node(), source);
  test::expectAnsweredOnce(run, test::expectedPredictions(bundle, 5));
  const std::vector<double> expected = {0, 0.1, 0.2, 0.45, 0.55};
  ASSERT_EQ(times.size(), expected.size());
  for (std::size_t i = 0; i < times.size(); ++i) EXPECT_NEAR(times[i], expected[i], 1e-9);
}

TEST(EdgeNode, LinkThatIsTooSlowForTheDeadlineFallsBack) {
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  Cluster cluster(bundle);
  EdgeNodeOptions options = referenceNode();
  options.server.link = must(parseLink("1kbit/s"));
  options.server.deadline = milliseconds(500);
  cluster.makeNode(options);
  test::SeededSource source(2);
  const test::NodeRun run = test::runNode(cluster.node(), source);
  test::expectAnsweredOnce(run, test::expectedPredictions(bundle, 2));
  EXPECT_EQ(run.summary.by_fallback, 2U);
  EXPECT_LE(run.records[0].total, milliseconds(500));
}

TEST(EdgeNode, ServerWithAnotherBundleIsRefusedOnce) {
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  Cluster cluster(bundle);
  auto other = std::make_shared<Bundle>(*bundle);
  std::get<FeatureInterface>(other->plan.interfaces[0]).quantizer.step[0] = 0.5F;
  cluster.makeNode(referenceNode(), {}, 1, other);
  test::SeededSource source(3);
  const test::NodeRun run = test::runNode(cluster.node(), source);
  test::expectAnsweredOnce(run, test::expectedPredictions(other, 3));
  EXPECT_EQ(run.summary.by_fallback, 3U);
  ASSERT_EQ(run.events.size(), 1U);
  EXPECT_EQ(run.events[0].kind, NodeEvent::Kind::refused);
}

/// A picture that does not decode is a record with an error, and the next ones go on.
TEST(EdgeNode, BadPictureCostsItsOwnRecordOnly) {
  class Mixed : public FrameSource {
   public:
    Result<std::optional<SourceFrame>> next() override {
      switch (index_++) {
        case 0:
          return frame(Picture::fromFile(ByteVector(50, std::byte{1})));
        case 1:
          return frame(makeError("cannot be read"));
        case 2:
          return frame(Picture::fromImage(test::smallPicture(0)));
        default:
          return std::optional<SourceFrame>();
      }
    }
    std::optional<std::size_t> count() const override { return 3; }

   private:
    static Result<std::optional<SourceFrame>> frame(Result<Picture> picture) {
      return std::optional<SourceFrame>(SourceFrame{"picture", std::move(picture)});
    }
    int index_ = 0;
  } source;
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  Cluster cluster(bundle);
  cluster.makeNode(referenceNode());
  const test::NodeRun run = test::runNode(cluster.node(), source);
  ASSERT_EQ(run.records.size(), 3U);
  EXPECT_EQ(run.records[0].answered, AnsweredBy::nobody);
  EXPECT_EQ(run.records[1].error, "cannot be read");
  EXPECT_EQ(run.records[2].prediction, test::expectedPredictions(bundle, 1)[0]);
  EXPECT_EQ(run.summary.failed, 2U);
}

TEST(EdgeNode, StopsBetweenPictures) {
  Cluster cluster(test::smallSplit(SmallHead::yolov2));
  for (const std::size_t depth : {1, 3}) {
    EdgeNodeOptions options = referenceNode();
    options.depth = depth;
    cluster.makeNode(options);
    test::SeededSource source(1000);
    std::atomic<bool> stop = false;
    std::vector<std::uint64_t> frames;
    const auto summary = cluster.node().run(
        source,
        [&](const FrameRecord& record, Picture&) {
          frames.push_back(record.frame);
          if (frames.size() == 5) stop = true;
          return Status();
        },
        {}, stop);
    ASSERT_TRUE(summary.ok());
    EXPECT_EQ(summary->frames, frames.size());
    EXPECT_LT(frames.size(), 12U);
    EXPECT_EQ(summary->failed, 0U);
  }
}

TEST(EdgeNode, ErrorOfTheSinkEndsTheRun) {
  Cluster cluster(test::smallSplit(SmallHead::yolov2));
  for (const std::size_t depth : {1, 3}) {
    EdgeNodeOptions options = referenceNode();
    options.depth = depth;
    cluster.makeNode(options);
    test::SeededSource source(100);
    const std::atomic<bool> stop = false;
    const auto summary = cluster.node().run(
        source, [](const FrameRecord&, Picture&) { return Status(makeError("disk full")); }, {},
        stop);
    ASSERT_FALSE(summary.ok());
    EXPECT_EQ(summary.error().message, "disk full");
  }
}

TEST(FrameRecord, IsOneLineOfJson) {
  FrameRecord record;
  record.frame = 3;
  record.input = "a\xff\n.jpg";
  record.answered = AnsweredBy::server;
  record.node = milliseconds(1.5);
  record.prepare = milliseconds(0.5);
  record.prediction.detections.push_back({1, 0.3F, {0.1F, 0.2F, 0.3F, 0.4F}});
  const std::string line = toJson(record, std::vector<std::string>{"cat", "dog"});
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["frame"], 3);
  EXPECT_EQ(json["answered"], "server");
  EXPECT_EQ(json["node_ms"], 1.5);
  EXPECT_EQ(json["prepare_ms"], 0.5);
  EXPECT_EQ(json["detections"][0]["name"], "dog");
  EXPECT_EQ(json["detections"][0]["score"].get<float>(), 0.3F);
  EXPECT_EQ(json["detections"][0]["box"][3].get<float>(), 0.4F);
}

}  // namespace
}  // namespace narrows
