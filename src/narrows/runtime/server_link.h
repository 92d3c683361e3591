#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "narrows/runtime/backoff.h"
#include "narrows/runtime/clock.h"
#include "narrows/runtime/link.h"
#include "narrows/runtime/transport.h"
#include "narrows/runtime/wire.h"

namespace narrows {

/// A change that the person who runs a node should hear of at once.
struct NodeEvent {
  enum class Kind : std::uint8_t {
    /// The server does not answer; frames are finished here or tried again.
    server_lost,
    server_back,
    /// The server answers, and will not take this node's requests.
    refused,
  };
  Kind kind = Kind::server_lost;
  /// The frame that met it.
  std::uint64_t frame = 0;
  std::string message;
};
using EventSink = std::function<void(const NodeEvent&)>;
std::string_view toString(NodeEvent::Kind kind);

struct ServerLinkOptions {
  /// For one answer of the server, the link included.
  Seconds deadline = Seconds(2);
  /// How long a frame is tried again when only the server can finish it.
  Seconds give_up = Seconds(30);
  /// Emulated on this side by waiting; absent: none.
  std::optional<LinkProfile> link;
  std::uint64_t seed = 1;
};

/// A request ready to be sent, any number of times.
struct OutgoingRequest {
  std::uint64_t frame = 0;
  std::string id;
  std::uint64_t digest = 0;
  ByteVector bytes;
};

struct ExchangeCost {
  int attempts = 0;
  Seconds link;
  std::size_t reply_bytes = 0;
};

/// A node's view of its server: sends requests over the emulated link, tries again with growing
/// pauses, knows whether the server is there and looks for it when it is not. One thread at a time.
class ServerLink {
 public:
  /// `clock` outlives the link. `reply_limits` bound what a server may answer.
  ServerLink(std::unique_ptr<Transport> transport, const ServerLinkOptions& options,
             const WireLimits& reply_limits, Clock& clock);

  void onEvent(EventSink sink) { events_ = std::move(sink); }

  /// The reply to a request, or why there is none. With `elsewhere`, when the frame can be finished
  /// without the server, it returns within the deadline, and at once while the server is away;
  /// otherwise it tries until `give_up`. With `aborted` the server waits for the same picture in
  /// frames that stand alone.
  CallStatus exchange(const OutgoingRequest& request, bool elsewhere, InferReply& reply,
                      ExchangeCost& cost);

  bool lost() const { return lost_since_.has_value(); }

 private:
  CallStatus attempt(const OutgoingRequest& request, Seconds timeout, InferReply& reply,
                     ExchangeCost& cost);
  CallStatus read(ByteSpan bytes, const OutgoingRequest& request, InferReply& reply) const;
  /// Whether to try at all: the server is there, or it is time to look and it is back.
  bool worthTrying(bool elsewhere);
  void note(const CallStatus& status, std::uint64_t frame);
  bool crossLink(std::size_t bytes, LinkDirection direction, Seconds end, ExchangeCost& cost);
  void emit(NodeEvent::Kind kind, std::uint64_t frame, const std::string& message);

  std::unique_ptr<Transport> transport_;
  const ServerLinkOptions options_;
  const WireLimits reply_limits_;
  Clock& clock_;
  EventSink events_;
  Backoff probes_;
  Backoff retries_;
  std::optional<Seconds> lost_since_;
  bool refused_ = false;
  Seconds next_probe_;
};

}  // namespace narrows
