#pragma once

#include <cstddef>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"
#include "narrows/runtime/message.h"

/// Requests and replies as messages of the Open Inference Protocol (docs/protocol.md).
namespace narrows {

/// What a reader accepts. Everything is checked before it is allocated.
struct WireLimits {
  /// Length of a whole message.
  std::size_t message_bytes = std::size_t{4} << 20;
  /// Of that, whatever is not raw tensor contents: names, shapes, parameters, typed contents.
  std::size_t other_bytes = std::size_t{64} << 10;
  /// Tensors of one message.
  std::size_t tensors = 64;
};

/// The protocol's name of a data type: "FP32".
std::string_view protocolType(DType dtype);

/// The same request gives the same bytes.
ByteVector writeRequest(const InferRequest& request);
/// Any bytes may come. The error's code is invalid_argument, or data_loss when the contents do not
/// match the digest that came with them. A request with frames is read only as it was written:
/// without its digest it is an error too.
CallStatus readRequest(ByteSpan bytes, const WireLimits& limits, InferRequest& request);

/// Not for failed replies: a status travels outside the message. The same reply gives the same
/// bytes.
ByteVector writeReply(const InferReply& reply);
CallStatus readReply(ByteSpan bytes, const WireLimits& limits, InferReply& reply);

/// `writeReply` as the answer of the streaming call, and an error as such.
ByteVector writeStreamReply(const InferReply& reply);

/// Bytes of a message of this length as gRPC sends it over HTTP/2: a 5-byte prefix, 9 bytes around
/// each DATA frame of at most 16 KiB, and a HEADERS frame of about 64 bytes (modelled: names are
/// in the connection's header table after the first call).
std::size_t framedBytes(std::size_t message_bytes);

/// What a node's request puts around its frame, `framedBytes` included, for names of 16 letters.
std::size_t requestEnvelope();

}  // namespace narrows
