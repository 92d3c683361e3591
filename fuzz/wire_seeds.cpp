#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "inference.pb.h"
#include "narrows/base/file.h"
#include "narrows/runtime/wire.h"

// narrows_wire_seeds DIRECTORY: requests and replies of each kind, behind the byte that tells
// `wire.cpp` which.
namespace narrows {
namespace {

constexpr std::byte kRequest{0};
constexpr std::byte kReply{1};

InferRequest requestOf(std::uint32_t sequence) {
  InferRequest request;
  request.model = "small";
  request.id = fmt::format("node/{}", sequence);
  request.sequence = sequence;
  return request;
}

NamedFrame frameOf(std::string name, std::string_view contents) {
  const ByteSpan bytes = asBytes(contents);
  return {std::move(name), {bytes.begin(), bytes.end()}};
}

ByteVector framesRequest() {
  InferRequest request = requestOf(7);
  request.bundle = 0xfedcba9876543210ULL;
  request.picture = ImageSize{640, 480};
  request.frames.push_back(frameOf("frame0", "hello"));
  request.frames.push_back(frameOf("frame1", ""));
  return writeRequest(request);
}

ByteVector imageRequest() {
  InferRequest request = requestOf(8);
  request.tensors.push_back({"image", Tensor::from<float>({1, 3, 1, 2}, {0, 1, 2, 3, 4, 5})});
  return writeRequest(request);
}

/// As a client writes it that knows nothing of raw contents and digests.
ByteVector typedRequest() {
  inference::ModelInferRequest message;
  message.set_model_name("small");
  auto& input = *message.add_inputs();
  input.set_name("image");
  input.set_datatype("FP32");
  for (const std::int64_t extent : {1, 3, 1, 1}) input.add_shape(extent);
  for (const float value : {0.5F, -1.0F, 2.0F}) input.mutable_contents()->add_fp32_contents(value);
  const std::string bytes = message.SerializeAsString();
  const ByteSpan span = asBytes(bytes);
  return {span.begin(), span.end()};
}

InferReply replyOf(std::vector<NamedTensor> tensors) {
  InferReply reply;
  reply.model = "small";
  reply.id = "node/7";
  reply.request = 77;
  reply.queued = microseconds(1500);
  reply.computed = microseconds(2500);
  reply.tensors = std::move(tensors);
  return reply;
}

ByteVector detectionsReply() {
  Prediction prediction;
  prediction.detections.push_back({2, 0.75F, {0.1F, 0.2F, 0.3F, 0.4F}});
  return writeReply(replyOf(predictionTensors(prediction, HeadKind::yolov3)));
}

ByteVector classesReply() {
  Prediction prediction;
  prediction.classes = {{1, 0.75F}, {0, 0.25F}};
  return writeReply(replyOf(predictionTensors(prediction, HeadKind::classification)));
}

ByteVector framesReply() {
  InferReply reply = replyOf({});
  reply.frames.push_back(frameOf("frame1", "back"));
  return writeReply(reply);
}

Status writeSeed(const std::filesystem::path& path, std::byte kind, const ByteVector& message) {
  ByteVector seed = {kind};
  seed.insert(seed.end(), message.begin(), message.end());
  return writeFileAtomically(path, seed);
}

Status writeSeeds(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  NARROWS_CHECK(writeSeed(directory / "request_frames", kRequest, framesRequest()));
  NARROWS_CHECK(writeSeed(directory / "request_image", kRequest, imageRequest()));
  NARROWS_CHECK(writeSeed(directory / "request_typed", kRequest, typedRequest()));
  NARROWS_CHECK(writeSeed(directory / "reply_detections", kReply, detectionsReply()));
  NARROWS_CHECK(writeSeed(directory / "reply_classes", kReply, classesReply()));
  return writeSeed(directory / "reply_frames", kReply, framesReply());
}

}  // namespace
}  // namespace narrows

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: {} DIRECTORY\n", argv[0]);
    return 2;
  }
  const narrows::Status status = narrows::writeSeeds(argv[1]);
  if (!status.ok()) {
    fmt::print(stderr, "{}\n", status.error().message);
    return 1;
  }
  return 0;
}
