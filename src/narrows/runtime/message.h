#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/tensor/tensor.h"
#include "narrows/vision/description.h"
#include "narrows/vision/detection.h"
#include "narrows/vision/image.h"

/// What a node and a server say to each other, apart from how it is written (`wire.h`).
namespace narrows {

/// How a call ended; numbers are those of gRPC's status codes.
enum class CallCode : int {
  ok = 0,
  cancelled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  /// A frame refers to one that the receiver lacks: it is to be sent standing alone.
  aborted = 10,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};
std::string_view toString(CallCode code);

struct CallStatus {
  CallCode code = CallCode::ok;
  std::string message;

  bool ok() const { return code == CallCode::ok; }
};

/// "unavailable: connection refused".
std::string toString(const CallStatus& status);

struct NamedFrame {
  std::string name;
  ByteVector bytes;
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

struct InferRequest {
  std::string model;
  /// Same id and contents: the same picture of the same node, sent again. May be empty.
  std::string id;
  std::uint32_t sequence = 0;
  /// `bundleFingerprint` of the sender's bundle; 0 when it has none.
  std::uint64_t bundle = 0;
  /// Size of the picture, when the sender knows it.
  std::optional<ImageSize> picture;
  std::vector<NamedFrame> frames;
  std::vector<NamedTensor> tensors;
};

struct InferReply {
  CallStatus status;
  std::string model;
  std::string id;
  /// `digest` of the request that this answers, so that its sender knows it arrived whole.
  std::uint64_t request = 0;
  /// Waiting and computing on the server.
  Seconds queued;
  Seconds computed;
  std::vector<NamedFrame> frames;
  std::vector<NamedTensor> tensors;
};

/// 64-bit FNV-1a over all contents, in a fixed order; the status and times of a reply are left
/// out.
std::uint64_t digest(const InferRequest& request);
std::uint64_t digest(const InferReply& reply);

/// A prediction as the tensors that clients read: `boxes` FP32 (N,4), `scores` FP32 (N) and
/// `labels` INT64 (N) of a detector; `class_scores` FP32 (K) and `class_labels` INT64 (K) of a
/// classifier.
std::vector<NamedTensor> predictionTensors(const Prediction& prediction, HeadKind head);
/// The inverse; tensors of other names are left alone. Fails on other types or counts.
Result<Prediction> predictionOf(std::span<const NamedTensor> tensors);

}  // namespace narrows
