#include "narrows/runtime/server_link.h"

#include <algorithm>

namespace narrows {
namespace {

/// Probes are one small message; a server that is there answers much sooner.
constexpr Seconds kProbeTimeout = milliseconds(250);

/// Trying again cannot help: the server's answer depends on what both sides are.
bool isDefinitive(CallCode code) {
  return code == CallCode::unauthenticated || code == CallCode::permission_denied ||
         code == CallCode::failed_precondition || code == CallCode::not_found;
}

/// The server is there and wants another request in place of this one.
bool wantsAnother(CallCode code) {
  return code == CallCode::aborted;
}

/// Nobody answered, as opposed to an answer that says no.
bool isSilence(CallCode code) {
  return code == CallCode::unavailable || code == CallCode::deadline_exceeded ||
         code == CallCode::cancelled || code == CallCode::unknown;
}

}  // namespace

std::string_view toString(NodeEvent::Kind kind) {
  switch (kind) {
    case NodeEvent::Kind::server_lost:
      return "server_lost";
    case NodeEvent::Kind::server_back:
      return "server_back";
    case NodeEvent::Kind::refused:
      return "refused";
  }
  return "server_lost";
}

ServerLink::ServerLink(std::unique_ptr<Transport> transport, const ServerLinkOptions& options,
                       const WireLimits& reply_limits, Clock& clock)
    : transport_(std::move(transport)),
      options_(options),
      reply_limits_(reply_limits),
      clock_(clock),
      probes_(milliseconds(100), Seconds(5), options.seed),
      retries_(milliseconds(20), Seconds(1), options.seed + 1) {}

void ServerLink::emit(NodeEvent::Kind kind, std::uint64_t frame, const std::string& message) {
  if (events_) events_({kind, frame, message});
}

void ServerLink::note(const CallStatus& status, std::uint64_t frame) {
  if (status.ok() || wantsAnother(status.code)) {
    if (lost_since_ || refused_) emit(NodeEvent::Kind::server_back, frame, "answers again");
    lost_since_.reset();
    refused_ = false;
    probes_.reset();
    return;
  }
  if (isDefinitive(status.code)) {
    if (!refused_) emit(NodeEvent::Kind::refused, frame, toString(status));
    refused_ = true;
  } else if (isSilence(status.code) && !lost_since_) {
    lost_since_ = clock_.now();
    next_probe_ = clock_.now() + probes_.next();
    emit(NodeEvent::Kind::server_lost, frame, toString(status));
  }
}

bool ServerLink::worthTrying(bool elsewhere) {
  if (!lost_since_) return true;
  const Seconds now = clock_.now();
  if (!elsewhere && now - *lost_since_ < options_.give_up) return true;
  if (now < next_probe_) return false;
  const CallStatus status = transport_->ready(std::min(kProbeTimeout, options_.deadline));
  next_probe_ = clock_.now() + probes_.next();
  return status.ok();
}

CallStatus ServerLink::exchange(const OutgoingRequest& request, bool elsewhere, InferReply& reply,
                                ExchangeCost& cost) {
  if (transport_ == nullptr) return {CallCode::unavailable, "no server is given"};
  if (!worthTrying(elsewhere)) return {CallCode::unavailable, "the server is away"};
  const Seconds patience =
      elsewhere ? options_.deadline : std::max(options_.deadline, options_.give_up);
  const Seconds end = clock_.now() + patience;
  retries_.reset();
  for (;;) {
    const Seconds timeout = std::min(options_.deadline, end - clock_.now());
    CallStatus status = attempt(request, timeout, reply, cost);
    note(status, request.frame);
    if (status.ok() || isDefinitive(status.code) || wantsAnother(status.code)) return status;
    const Seconds pause = retries_.next();
    if (clock_.now() + pause >= end) return status;
    clock_.sleep(pause);
  }
}

bool ServerLink::crossLink(std::size_t bytes, LinkDirection direction, Seconds end,
                           ExchangeCost& cost) {
  if (!options_.link) return true;
  const Seconds needed = transferTime(*options_.link, framedBytes(bytes), direction);
  const Seconds left = std::max(end - clock_.now(), Seconds(0));
  const Seconds spent = std::min(needed, left);
  cost.link += spent;
  clock_.sleep(spent);
  return needed <= left;
}

CallStatus ServerLink::attempt(const OutgoingRequest& request, Seconds timeout, InferReply& reply,
                               ExchangeCost& cost) {
  const Seconds end = clock_.now() + timeout;
  ++cost.attempts;
  CallStatus late{CallCode::deadline_exceeded, "the link is too slow for the deadline"};
  if (!crossLink(request.bytes.size(), LinkDirection::up, end, cost)) return late;
  ByteVector bytes;
  CallStatus status = transport_->infer(request.bytes, end - clock_.now(), bytes);
  if (!status.ok()) return status;
  if (!crossLink(bytes.size(), LinkDirection::down, end, cost)) return late;
  status = read(bytes, request, reply);
  if (status.ok()) cost.reply_bytes = bytes.size();
  return status;
}

CallStatus ServerLink::read(ByteSpan bytes, const OutgoingRequest& request,
                            InferReply& reply) const {
  CallStatus status = readReply(bytes, reply_limits_, reply);
  if (!status.ok()) return {CallCode::data_loss, status.message};
  if (reply.id != request.id || reply.request != request.digest) {
    return {CallCode::data_loss, "the answer belongs to another request"};
  }
  return {};
}

}  // namespace narrows
