#include "narrows/runtime/group/worker_message.h"

#include <gtest/gtest.h>

#include <random>

namespace narrows {
namespace {

ByteVector bytesOf(std::initializer_list<int> values) {
  ByteVector bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

RegionsRequest regions(const ByteVector& first, const ByteVector& second) {
  RegionsRequest request;
  request.session = 11;
  request.epoch = 3;
  request.from = 2;
  request.frame = 77;
  request.frames = {{4, first}, {5, second}};
  return request;
}

TEST(WorkerMessage, RegionsHaveTheBytesOfTheirPage) {
  const ByteVector first = bytesOf({1, 2, 3});
  const ByteVector second = bytesOf({9});
  const ByteVector message = writeMessage(regions(first, second));
  EXPECT_EQ(message.size(), regionsOverhead(2) + 4);
  const ByteVector head = bytesOf({'N', 'W', 'K', '1', 6, 0, 0, 0});
  EXPECT_TRUE(std::equal(head.begin(), head.end(), message.begin()));
  const auto read = readMessage<RegionsRequest>(message);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->session, 11u);
  EXPECT_EQ(read->epoch, 3u);
  EXPECT_EQ(read->from, 2u);
  EXPECT_EQ(read->frame, 77u);
  ASSERT_EQ(read->frames.size(), 2u);
  EXPECT_EQ(read->frames[1].channel, 5u);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), read->frames[0].bytes.begin()));
  const auto origin = originOfRegions(message);
  ASSERT_TRUE(origin.has_value());
  EXPECT_EQ(origin->from, 2u);
}

TEST(WorkerMessage, AnswersComeBackAsTheyWere) {
  RunReply reply;
  reply.end = RunEnd::peer_wrong;
  reply.error = "why";
  reply.blamed = 4;
  reply.compute = Seconds(0.5);
  reply.sent = {{1, 2, 300, 400}};
  reply.answered = true;
  reply.prediction.detections = {{3, 0.5F, {0.1F, 0.2F, 0.3F, 0.4F}}};
  reply.prediction.classes = {{7, 0.25F}};
  const ByteVector outputs = bytesOf({1, 2, 3, 4});
  reply.outputs = outputs;
  const ByteVector message = writeMessage(reply);
  const auto read = readMessage<RunReply>(message);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->end, RunEnd::peer_wrong);
  EXPECT_EQ(read->blamed, 4u);
  EXPECT_EQ(read->prediction, reply.prediction);
  EXPECT_EQ(read->sent[0].message_bytes, 400u);
  EXPECT_EQ(read->outputs.size(), 4u);
}

TEST(WorkerMessage, ActivationsComeBackAsTheyWere) {
  ActivateRequest request;
  request.session = 1;
  request.epoch = 2;
  request.device = "board1";
  request.manifest = "{}";
  request.peers = {{0, "127.0.0.1:9001"}, {3, "127.0.0.1:9002"}};
  request.slots = 4;
  const ByteVector message = writeMessage(request);
  const auto read = readMessage<ActivateRequest>(message);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->device, "board1");
  EXPECT_EQ(read->peers[1].address, "127.0.0.1:9002");
  EXPECT_EQ(read->slots, 4u);
}

/// Shortened, lengthened and changed messages are errors; fields are under a digest.
template <class Message>
void expectRefusesDamage(const ByteVector& message, std::size_t under_digest) {
  for (std::size_t length = 0; length < message.size(); ++length) {
    EXPECT_FALSE(readMessage<Message>(ByteSpan(message).first(length)).ok()) << length;
  }
  ByteVector longer = message;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(readMessage<Message>(longer).ok());
  for (std::size_t at = 0; at < under_digest; ++at) {
    for (const int bit : {0, 3, 7}) {
      ByteVector changed = message;
      changed[at] ^= static_cast<std::byte>(1 << bit);
      EXPECT_FALSE(readMessage<Message>(changed).ok()) << at << ", bit " << bit;
    }
  }
}

TEST(WorkerMessage, DamageIsSeen) {
  const ByteVector payload = bytesOf({1, 2, 3, 4, 5});
  const ByteVector region = writeMessage(regions(payload, payload));
  // The regions themselves have checksums of their own.
  expectRefusesDamage<RegionsRequest>(region, region.size() - 2 * payload.size());
  RunRequest run;
  run.session = 5;
  run.timeout = Seconds(1);
  run.size = ImageSize{4, 5};
  run.input = RunInput::picture;
  run.payload = payload;
  const ByteVector asked = writeMessage(run);
  expectRefusesDamage<RunRequest>(asked, asked.size());
  const ByteVector ping = writeMessage(PingReply{1, 2, 3, 4});
  expectRefusesDamage<PingReply>(ping, ping.size());
  PrepareReply prepare;
  prepare.missing = {std::string(64, 'a')};
  const ByteVector lacks = writeMessage(prepare);
  expectRefusesDamage<PrepareReply>(lacks, lacks.size());
  EXPECT_FALSE(readMessage<PingRequest>(ping).ok()) << "an answer is no call";
}

TEST(WorkerMessage, TakesAnyBytes) {
  const std::uint32_t seed = 1;
  std::mt19937 random(seed);
  for (int round = 0; round < 2000; ++round) {
    ByteVector bytes = bytesOf({'N', 'W', 'K', '1', 6, 0, 0, 0});
    const std::size_t more = random() % 200;
    for (std::size_t i = 0; i < more; ++i) bytes.push_back(static_cast<std::byte>(random()));
    EXPECT_FALSE(readMessage<RegionsRequest>(bytes).ok()) << "seed " << seed;
    EXPECT_FALSE(readMessage<ActivateRequest>(bytes).ok()) << "seed " << seed;
    originOfRegions(bytes);
  }
}

}  // namespace
}  // namespace narrows
