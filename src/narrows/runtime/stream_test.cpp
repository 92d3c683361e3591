#include <gtest/gtest.h>

#include "narrows/runtime/stream_memory.h"
#include "narrows/runtime/test_cluster.h"

namespace narrows {
namespace {

using test::Cluster;
using test::kStillFrame;
using test::must;
using test::SeededSource;
using test::SmallHead;
using test::streamBundle;

TEST(Stream, StillSceneCostsAlmostNothing) {
  for (const CoderKind coder : {CoderKind::context, CoderKind::zstd}) {
    const auto bundle = streamBundle(10, coder);
    Cluster cluster(bundle);
    cluster.makeNode(test::referenceNode());
    SeededSource source(25, 0, 25);
    const test::NodeRun run = test::runNode(cluster.node(), source);
    test::expectAnsweredOnce(run, test::expectedPredictions(bundle, 25, 0, 25));
    EXPECT_EQ(run.summary.by_server, 25U);
    for (std::size_t i = 0; i < 25; ++i) {
      EXPECT_EQ(run.records[i].attempts, 1) << i;
      EXPECT_EQ(run.records[i].frame_bytes == kStillFrame, i % 10 != 0) << i;
    }
  }
}

TEST(Stream, ServerThatStartsAgainAsksOnceForFramesThatStandAlone) {
  for (const std::size_t depth : {1, 4}) {
    const auto bundle = streamBundle(1000, CoderKind::context);
    Cluster cluster(bundle);
    EdgeNodeOptions options = test::referenceNode();
    options.depth = depth;
    cluster.makeNode(options);
    SeededSource source(60, 0, 60);
    source.before([&](std::size_t index) {
      if (index == 30 && depth == 1) cluster.restartServer();
    });
    const test::NodeRun run = test::runNode(cluster.node(), source);
    test::expectAnsweredOnce(run, test::expectedPredictions(bundle, 60, 0, 60));
    EXPECT_EQ(run.summary.by_server, 60U);
    EXPECT_TRUE(run.events.empty());
    std::size_t twice = 0;
    std::size_t still = 0;
    for (const FrameRecord& record : run.records) {
      twice += record.attempts == 2 ? 1 : 0;
      still += record.frame_bytes == kStillFrame ? 1 : 0;
    }
    if (depth == 1) {
      // The first, the one that met the new server, and the one after it, which starts anew.
      EXPECT_EQ(still, 57U);
      EXPECT_EQ(twice, 1U);
      EXPECT_EQ(run.records[30].attempts, 2);
      EXPECT_GT(run.records[31].frame_bytes, kStillFrame);
      EXPECT_EQ(run.records[32].frame_bytes, kStillFrame);
    } else {
      EXPECT_EQ(twice, 0U);
      EXPECT_GT(still, 40U);
    }
  }
}

/// Requests and answers are lost, late, doubled and damaged, and the server starts again now and
/// then: every picture gets the answer that it would get alone.
TEST(Stream, LosesNoPictureOverABadLink) {
  const auto bundle = streamBundle(20, CoderKind::context);
  const auto expected = test::expectedPredictions(bundle, 200, 0, 5);
  for (const std::uint64_t seed : {1, 2, 3}) {
    SCOPED_TRACE(seed);
    Cluster cluster(bundle);
    FaultRates rates;
    rates.drop = 0.1;
    rates.delay = 0.2;
    rates.max_delay = milliseconds(900);
    rates.duplicate = 0.1;
    rates.corrupt = 0.1;
    EdgeNodeOptions options = test::referenceNode();
    options.server.deadline = milliseconds(800);
    options.interval = milliseconds(500);
    options.fallback = seed != 3;
    cluster.makeNode(options, rates, seed);
    SeededSource source(200, 0, 5);
    source.before([&](std::size_t index) {
      if (index % 60 == 59) cluster.restartServer();
    });
    const test::NodeRun run = test::runNode(cluster.node(), source);
    test::expectAnsweredOnce(run, expected);
    EXPECT_GT(run.summary.by_server, 75U);
    std::size_t still = 0;
    for (const FrameRecord& record : run.records)
      still += record.frame_bytes == kStillFrame ? 1 : 0;
    EXPECT_GT(still, 50U);
  }
}

TEST(Stream, NodesThatShareTooLittleMemoryAreAnsweredAllTheSame) {
  const auto bundle = streamBundle(100, CoderKind::context);
  const auto expected = test::expectedPredictions(bundle, 12, 0, 12);
  ServiceOptions options = test::referenceService();
  options.stream_bytes = 1;
  ManualClock clock;
  auto service = must(InferenceService::create(bundle, options, clock));
  std::vector<std::unique_ptr<EdgeNode>> nodes;
  for (const char* id : {"a", "b"}) {
    EdgeNodeOptions node = test::referenceNode();
    node.id = id;
    nodes.push_back(must(EdgeNode::create(
        bundle, node, std::make_unique<InProcessTransport>(service.get(), clock), clock)));
  }
  // A picture of b comes before each of a.
  SeededSource other(12, 0, 12);
  SeededSource source(12, 0, 12);
  std::size_t answered = 0;
  source.before([&](std::size_t) {
    class One : public FrameSource {
     public:
      explicit One(FrameSource& all) : all_(all) {}
      Result<std::optional<SourceFrame>> next() override {
        if (done_) return std::optional<SourceFrame>();
        done_ = true;
        return all_.next();
      }
      std::optional<std::size_t> count() const override { return 1; }

     private:
      FrameSource& all_;
      bool done_ = false;
    } one(other);
    const test::NodeRun run = test::runNode(*nodes[1], one);
    answered += run.summary.by_server;
    ASSERT_EQ(run.records.size(), 1U);
    EXPECT_EQ(run.records[0].prediction, expected[0]);
  });
  const test::NodeRun run = test::runNode(*nodes[0], source);
  test::expectAnsweredOnce(run, expected);
  EXPECT_EQ(run.summary.by_server, 12U);
  EXPECT_EQ(answered, 12U);
}

TEST(Stream, ServiceRefusesAReferenceThatItLacks) {
  const auto bundle = streamBundle(100, CoderKind::context);
  ManualClock clock;
  auto service = must(InferenceService::create(bundle, test::referenceService(), clock));
  auto node = must(DevicePipeline::create(bundle, "node", test::referencePipeline()));
  const auto requestOf = [&](std::uint32_t sequence, const std::string& id) {
    Picture picture = Picture::fromImage(test::smallPicture(1));
    InferRequest request;
    request.sequence = sequence;
    request.id = id;
    request.picture = must(picture.size());
    EXPECT_OK(node.start(picture, sequence));
    for (ChannelFrame& frame : must(node.advance())) {
      request.frames.push_back({node.exchange().channels[frame.channel].name, frame.bytes});
    }
    return request;
  };
  EXPECT_TRUE(service->infer(requestOf(0, "a/0"), Seconds(1)).status.ok());
  node.acknowledge(0);
  // Another's stream, no stream, and the right one.
  EXPECT_EQ(service->infer(requestOf(1, "b/1"), Seconds(1)).status.code, CallCode::aborted);
  EXPECT_EQ(service->infer(requestOf(1, "1"), Seconds(1)).status.code, CallCode::aborted);
  EXPECT_EQ(service->infer(requestOf(1, ""), Seconds(1)).status.code, CallCode::aborted);
  EXPECT_TRUE(service->infer(requestOf(1, "a/1"), Seconds(1)).status.ok());
  node.startAnew();
  EXPECT_TRUE(service->infer(requestOf(2, "b/2"), Seconds(1)).status.ok());
}

TEST(StreamMemory, KeepsTheLatestStreams) {
  const auto bundle = streamBundle(100, CoderKind::context);
  const Exchange exchange = must(planExchange(bundle->plan));
  const Channel& channel = exchange.channels.at(0);
  const auto& feature = std::get<FeatureInterface>(channel.params);
  const std::size_t each = kTemporalReach * static_cast<std::size_t>(feature.type.shape.elements());
  StreamMemory memory(exchange, channel.to, 2 * each + each / 2);
  EXPECT_EQ(memory.capacity(), 2U);
  const auto a = memory.find("a/1");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->of.size(), exchange.channels.size());
  const auto b = memory.find("b/1");
  EXPECT_NE(a, b);
  EXPECT_EQ(memory.find("a/2"), a);
  const auto c = memory.find("x/y/3");
  EXPECT_EQ(memory.find("a/3"), a);
  EXPECT_EQ(memory.find("x/y/4"), c);
  EXPECT_NE(memory.find("b/2"), b);
  EXPECT_EQ(memory.find("none"), nullptr);
  EXPECT_EQ(StreamMemory(exchange, channel.to, 0).capacity(), 1U);
  EXPECT_EQ(StreamMemory(exchange, channel.from, each).find("a/1"), nullptr);
  const Exchange without = must(planExchange(test::smallSplit(SmallHead::yolov2)->plan));
  EXPECT_EQ(StreamMemory(without, channel.to, each).find("a/1"), nullptr);
}

}  // namespace
}  // namespace narrows
