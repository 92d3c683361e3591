#include "narrows/runtime/wire.h"

#include <gtest/gtest.h>

#include <random>

#include "inference.pb.h"
#include "narrows/runtime/runtime_case.h"

namespace narrows {
namespace {

ByteVector bytesOf(std::string_view text) {
  const ByteSpan bytes = asBytes(text);
  return {bytes.begin(), bytes.end()};
}

InferRequest someRequest() {
  InferRequest request;
  request.model = "small";
  request.id = "node-1/42";
  request.sequence = 42;
  request.bundle = 0xfedcba9876543210ULL;
  request.picture = ImageSize{640, 480};
  request.frames.push_back({"frame0", bytesOf("some bytes")});
  request.frames.push_back({"frame1", {}});
  request.tensors.push_back({"image", Tensor::from<float>({1, 2}, {0.5F, -3.0F})});
  return request;
}

void expectEqual(const InferRequest& a, const InferRequest& b) {
  EXPECT_EQ(a.model, b.model);
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.sequence, b.sequence);
  EXPECT_EQ(a.bundle, b.bundle);
  EXPECT_EQ(a.picture, b.picture);
  ASSERT_EQ(a.frames.size(), b.frames.size());
  for (std::size_t i = 0; i < a.frames.size(); ++i) {
    EXPECT_EQ(a.frames[i].name, b.frames[i].name);
    EXPECT_EQ(a.frames[i].bytes, b.frames[i].bytes);
  }
  EXPECT_EQ(digest(a), digest(b));
}

TEST(Wire, RequestsComeBackAsTheyWere) {
  InferRequest read;
  const CallStatus status = readRequest(writeRequest(someRequest()), {}, read);
  ASSERT_TRUE(status.ok()) << status.message;
  expectEqual(read, someRequest());
  ASSERT_EQ(read.tensors.size(), 1U);
  EXPECT_EQ(read.tensors[0].tensor.as<float>()[1], -3.0F);
}

/// The message as a client of the protocol would read it.
TEST(Wire, RequestIsAMessageOfTheProtocol) {
  inference::ModelInferRequest message;
  const ByteVector bytes = writeRequest(someRequest());
  ASSERT_TRUE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  EXPECT_EQ(message.model_name(), "small");
  ASSERT_EQ(message.inputs_size(), 3);
  EXPECT_EQ(message.inputs(0).datatype(), "BYTES");
  EXPECT_EQ(message.inputs(2).datatype(), "FP32");
  EXPECT_EQ(message.raw_input_contents(0), std::string("\x0a\0\0\0some bytes", 14));
  EXPECT_EQ(message.parameters().at("sequence").int64_param(), 42);
}

TEST(Wire, PredictionsComeBackAsTheyWere) {
  Prediction prediction;
  prediction.detections.push_back({2, 0.75F, {0.1F, 0.2F, 0.3F, 0.4F}});
  prediction.detections.push_back({0, 0.5F, {-0.1F, 0, 1, 1.5F}});
  InferReply reply;
  reply.model = "small";
  reply.id = "node-1/42";
  reply.request = 77;
  reply.queued = microseconds(1500);
  reply.computed = microseconds(2500);
  reply.tensors = predictionTensors(prediction, HeadKind::yolov3);
  InferReply read;
  const CallStatus status = readReply(writeReply(reply), {}, read);
  ASSERT_TRUE(status.ok()) << status.message;
  EXPECT_EQ(read.id, reply.id);
  EXPECT_EQ(read.request, 77U);
  EXPECT_DOUBLE_EQ(read.queued.value(), 1500e-6);
  EXPECT_DOUBLE_EQ(read.computed.value(), 2500e-6);
  EXPECT_EQ(test::must(predictionOf(read.tensors)), prediction);

  Prediction classes;
  classes.classes = {{1, 0.75F}, {0, 0.25F}};
  EXPECT_EQ(test::must(predictionOf(predictionTensors(classes, HeadKind::classification))),
            classes);
  const Prediction none;
  EXPECT_EQ(test::must(predictionOf(predictionTensors(none, HeadKind::yolov2))), none);
}

TEST(Wire, RefusesPredictionsThatDoNotFitTogether) {
  std::vector<NamedTensor> tensors;
  tensors.push_back({"boxes", Tensor(DType::f32, {2, 4})});
  EXPECT_FALSE(predictionOf(tensors).ok());
  tensors.push_back({"scores", Tensor(DType::f32, {1})});
  tensors.push_back({"labels", Tensor(DType::i64, {2})});
  EXPECT_FALSE(predictionOf(tensors).ok());
  tensors[1].tensor = Tensor(DType::i64, {2});
  EXPECT_FALSE(predictionOf(tensors).ok());
  tensors[1].tensor = Tensor(DType::f32, {2});
  EXPECT_TRUE(predictionOf(tensors).ok());
}

TEST(Wire, TypedContentsAreTaken) {
  inference::ModelInferRequest message;
  message.set_model_name("small");
  auto& input = *message.add_inputs();
  input.set_name("image");
  input.set_datatype("FP32");
  input.add_shape(2);
  input.mutable_contents()->add_fp32_contents(1.5F);
  input.mutable_contents()->add_fp32_contents(2.5F);
  InferRequest read;
  const auto readMessage = [&] {
    const std::string bytes = message.SerializeAsString();
    return readRequest(asBytes(bytes), {}, read);
  };
  CallStatus status = readMessage();
  ASSERT_TRUE(status.ok()) << status.message;
  EXPECT_EQ(read.tensors[0].tensor.as<float>()[1], 2.5F);
  auto& frame = *message.add_inputs();
  frame.set_name("frame0");
  frame.set_datatype("BYTES");
  frame.add_shape(1);
  frame.mutable_contents()->add_bytes_contents("abc");
  EXPECT_EQ(readMessage().code, CallCode::invalid_argument) << "a frame without a digest";
  InferRequest same;
  same.model = "small";
  same.frames.push_back({"frame0", bytesOf("abc")});
  same.tensors.push_back({"image", Tensor::from<float>({2}, {1.5F, 2.5F})});
  (*message.mutable_parameters())["digest"].set_int64_param(
      static_cast<std::int64_t>(digest(same)));
  status = readMessage();
  ASSERT_TRUE(status.ok()) << status.message;
  EXPECT_EQ(read.frames[0].bytes, bytesOf("abc"));
}

/// What a node sends: frames alone.
InferRequest framesRequest() {
  InferRequest request = someRequest();
  request.tensors.clear();
  return request;
}

/// A transport's faults repeat themselves only when they hit the same bytes.
TEST(Wire, SameMessageIsTheSameBytes) {
  InferReply reply;
  reply.id = "node-1/42";
  reply.request = 77;
  for (int round = 0; round < 50; ++round) {
    EXPECT_EQ(writeRequest(someRequest()), writeRequest(someRequest()));
    EXPECT_EQ(writeReply(reply), writeReply(reply));
    EXPECT_EQ(writeStreamReply(reply), writeStreamReply(reply));
  }
}

/// The damage of one byte to the digest's name and of another anywhere must not make a request that
/// the server takes for a new one.
TEST(Wire, DamageToTheDigestsNameIsNoWayAroundIt) {
  const ByteVector whole = writeRequest(framesRequest());
  const std::size_t name = std::string(asText(whole)).find("digest");
  ASSERT_NE(name, std::string::npos);
  for (std::size_t in_name = name; in_name < name + 6; ++in_name) {
    for (std::size_t other = 0; other < whole.size(); ++other) {
      for (const unsigned change : {1U, 2U, 4U, 8U, 16U, 32U, 64U, 128U, 255U}) {
        ByteVector damaged = whole;
        damaged[in_name] ^= std::byte{1};
        damaged[other] ^= static_cast<std::byte>(change);
        InferRequest read;
        if (!readRequest(damaged, {}, read).ok()) continue;
        // The second damage undid the first.
        ASSERT_EQ(digest(read), digest(framesRequest()))
            << "bytes " << in_name << " and " << other << " by " << change;
      }
    }
  }
}

/// Every prefix, and random damage: an error or, where nothing that counts was hit, the same
/// request.
TEST(Wire, DamagedRequestsAreRefused) {
  for (const InferRequest& request : {framesRequest(), someRequest()}) {
    const ByteVector whole = writeRequest(request);
    InferRequest read;
    for (std::size_t length = 0; length < whole.size(); ++length) {
      EXPECT_FALSE(readRequest(ByteSpan(whole).first(length), {}, read).ok()) << length;
    }
    constexpr unsigned kSeed = 17;
    std::mt19937 random(kSeed);
    for (int round = 0; round < 20000; ++round) {
      ByteVector damaged = whole;
      for (unsigned count = 1 + random() % 4; count > 0; --count) {
        damaged[random() % damaged.size()] ^= static_cast<std::byte>(1 + random() % 255);
      }
      if (!readRequest(damaged, {}, read).ok()) continue;
      EXPECT_EQ(digest(read), digest(request)) << "seed " << kSeed << " round " << round;
    }
  }
}

TEST(Wire, DamagedRepliesNeverPassForOthers) {
  InferReply reply;
  reply.id = "node-1/42";
  reply.request = 99;
  reply.tensors.push_back({"scores", Tensor::from<float>({2}, {0.5F, 0.25F})});
  reply.frames.push_back({"frame0", bytesOf("back")});
  const ByteVector whole = writeReply(reply);
  constexpr unsigned kSeed = 23;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 20000; ++round) {
    ByteVector damaged = whole;
    for (unsigned count = 1 + random() % 4; count > 0; --count) {
      damaged[random() % damaged.size()] ^= static_cast<std::byte>(1 + random() % 255);
    }
    InferReply read;
    if (!readReply(damaged, {}, read).ok()) continue;
    EXPECT_EQ(digest(read), digest(reply)) << "seed " << kSeed << " round " << round;
  }
}

TEST(Wire, BoundsHoldBeforeAnythingIsBuilt) {
  const auto codeOf = [](const inference::ModelInferRequest& message, const WireLimits& limits) {
    InferRequest read;
    const std::string bytes = message.SerializeAsString();
    return readRequest(asBytes(bytes), limits, read).code;
  };
  inference::ModelInferRequest many;
  for (int i = 0; i < 1000; ++i) many.add_inputs();
  EXPECT_EQ(codeOf(many, {}), CallCode::invalid_argument);
  inference::ModelInferRequest contents;
  for (int i = 0; i < 1000; ++i) contents.add_raw_input_contents();
  EXPECT_EQ(codeOf(contents, {}), CallCode::invalid_argument);
  inference::ModelInferRequest parameters;
  for (int i = 0; i < 100000; ++i) (*parameters.mutable_parameters())[std::to_string(i)];
  EXPECT_EQ(codeOf(parameters, {}), CallCode::invalid_argument);
  inference::ModelInferRequest large;
  large.add_raw_input_contents(std::string(2000, 'x'));
  WireLimits small;
  small.message_bytes = 1000;
  EXPECT_EQ(codeOf(large, small), CallCode::resource_exhausted);
  // A shape that claims more than any memory, with no contents to match.
  inference::ModelInferRequest claim;
  auto& input = *claim.add_inputs();
  input.set_datatype("FP32");
  input.add_shape(std::int64_t{1} << 39);
  claim.add_raw_input_contents("1234");
  EXPECT_EQ(codeOf(claim, {}), CallCode::invalid_argument);
}

TEST(Wire, FramedBytesCountHttp2Frames) {
  EXPECT_EQ(framedBytes(0), 5U + 9 + 64);
  EXPECT_EQ(framedBytes(16384 - 5), 16384U + 9 + 64);
  EXPECT_EQ(framedBytes(16384), 16389U + 18 + 64);
}

TEST(Wire, TheEnvelopeIsWhatARequestHasMoreThanItsFrame) {
  InferRequest request;
  request.model = "tiny-yolov3";
  request.id = "node-9f3c52d1a40b77e2/86";
  request.sequence = 86;
  request.bundle = 0x8c3f00aa12345678;
  request.picture = ImageSize{320, 240};
  request.frames = {{"conv5.leaky", ByteVector(5000)}};
  const double around = static_cast<double>(framedBytes(writeRequest(request).size())) - 5000;
  // Names of other lengths, and a few bytes for the lengths of longer fields.
  EXPECT_NEAR(around, static_cast<double>(requestEnvelope()), 24);
}

}  // namespace
}  // namespace narrows
