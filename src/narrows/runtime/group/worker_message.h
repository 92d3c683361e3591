#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/plan/plan.h"
#include "narrows/vision/detection.h"
#include "narrows/vision/image.h"

/// What a coordinator and its workers, and workers among themselves, say to each other
/// (docs/group-protocol.md). Every reader takes any bytes: counts and lengths are compared with
/// what is there before anything is allocated, and the fields with their digest.
namespace narrows {

enum class WorkerCall : std::uint8_t { ping = 1, prepare, store, activate, run, regions };

/// Name of the call in the service: "Ping".
std::string_view methodOf(WorkerCall call);

/// Asked again and again: is the worker there, and does it still stand where it stood?
struct PingRequest {
  /// Made up by each coordinator; 0 only asks and takes no lease.
  std::uint64_t session = 0;
};
struct PingReply {
  /// Made up by each worker process.
  std::uint64_t instance = 0;
  /// Of the plan that is active; 0 without one.
  std::uint64_t session = 0;
  std::uint32_t epoch = 0;
  /// Session of the coordinator whose lease has not run out; 0 when there is none.
  std::uint64_t leader = 0;
};

/// Which files the worker is about to need.
struct PrepareRequest {
  std::uint64_t session = 0;
  /// bundle.json.
  std::string manifest;
  /// Of the manifest: the plan, the description, and the device's pieces.
  std::vector<std::string> paths;
};
struct PrepareReply {
  /// SHA-256 of those that it does not hold.
  std::vector<std::string> missing;
};

/// Part of a file. Parts come in order; the last one is compared with the SHA-256.
struct StoreRequest {
  std::uint64_t session = 0;
  std::string sha256;
  std::uint64_t size = 0;
  std::uint64_t offset = 0;
  ByteSpan bytes;
};
struct StoreReply {};

struct PeerAddress {
  std::uint32_t device = 0;
  std::string address;
};

/// Take this share of this plan; whatever came of earlier epochs is dropped.
struct ActivateRequest {
  std::uint64_t session = 0;
  std::uint32_t epoch = 0;
  std::string device;
  std::string manifest;
  std::vector<PeerAddress> peers;
  /// Frames on their way at once.
  std::uint32_t slots = 1;
};
struct ActivateReply {
  /// Of the programs, as the engine counts them.
  std::uint64_t weights = 0;
  std::uint64_t arena = 0;
  std::uint64_t scratch = 0;
};

enum class RunInput : std::uint8_t { none = 0, picture = 1, tensors = 2 };

/// Do your share of a frame. The answer comes when all of it is computed and sent.
struct RunRequest {
  std::uint64_t session = 0;
  std::uint32_t epoch = 0;
  std::uint64_t frame = 0;
  /// Time left for it.
  Seconds timeout;
  std::optional<ImageSize> size;
  /// The model's outputs are wanted beside the prediction.
  bool outputs = false;
  RunInput input = RunInput::none;
  /// The picture's file, or the elements of the model's inputs one after the other.
  ByteSpan payload;
};

struct SentTo {
  std::uint32_t device = 0;
  std::uint32_t messages = 0;
  /// Frames with their headers, as the plan counts them; then whole messages.
  std::uint64_t frame_bytes = 0;
  std::uint64_t message_bytes = 0;
};

/// How a share of a frame ended.
enum class RunEnd : std::uint8_t {
  done = 0,
  /// The frame itself is at fault: a picture that does not decode.
  frame_fault,
  /// The blamed device did not take its regions.
  peer_unreachable,
  /// What came from the blamed device is not what the plan says, or damaged.
  peer_wrong,
  /// Another plan took over, or the worker stops.
  superseded,
  expired,
};

struct RunReply {
  RunEnd end = RunEnd::done;
  std::string error;
  std::optional<std::uint32_t> blamed;
  Seconds compute;
  Seconds coding;
  std::vector<SentTo> sent;
  /// From the device that decodes the head.
  bool answered = false;
  Prediction prediction;
  /// Elements of the model's outputs one after the other, when they are wanted.
  ByteSpan outputs;
};

struct RegionFrame {
  std::uint32_t channel = 0;
  /// A feature frame, with its own checksum.
  ByteSpan bytes;
};

/// All that one piece sends to one device.
struct RegionsRequest {
  std::uint64_t session = 0;
  std::uint32_t epoch = 0;
  std::uint32_t from = 0;
  std::uint64_t frame = 0;
  std::vector<RegionFrame> frames;
};
struct RegionsReply {};

/// Bytes of a message of regions beside its frames.
constexpr std::size_t regionsOverhead(std::size_t frames) {
  return 48 + 8 * frames;
}

/// Where a message of regions says that it comes from, whether or not the rest can be read.
struct RegionsOrigin {
  std::uint64_t session = 0;
  std::uint32_t epoch = 0;
  std::uint32_t from = 0;
};
std::optional<RegionsOrigin> originOfRegions(ByteSpan bytes);

ByteVector writeMessage(const PingRequest& message);
ByteVector writeMessage(const PingReply& message);
ByteVector writeMessage(const PrepareRequest& message);
ByteVector writeMessage(const PrepareReply& message);
ByteVector writeMessage(const StoreRequest& message);
ByteVector writeMessage(const StoreReply& message);
ByteVector writeMessage(const ActivateRequest& message);
ByteVector writeMessage(const ActivateReply& message);
ByteVector writeMessage(const RunRequest& message);
ByteVector writeMessage(const RunReply& message);
ByteVector writeMessage(const RegionsRequest& message);
ByteVector writeMessage(const RegionsReply& message);

/// Spans of the result lie in `bytes`. Defined for the messages above.
template <class Message>
Result<Message> readMessage(ByteSpan bytes);

}  // namespace narrows
