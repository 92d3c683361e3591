#include "narrows/runtime/inprocess_transport.h"

namespace narrows {
namespace {

const CallStatus kLate{CallCode::deadline_exceeded, "no answer in time"};
const CallStatus kDown{CallCode::unavailable, "the server is down"};

}  // namespace

bool InProcessTransport::pass(const MessageFate& fate, Seconds end) {
  const Seconds left = end - clock_.now();
  if (fate.dropped || fate.delay > left) {
    clock_.sleep(left);
    return false;
  }
  clock_.sleep(fate.delay);
  return true;
}

CallStatus InProcessTransport::infer(ByteSpan request, Seconds timeout, ByteVector& reply) {
  const CallFate fate = requests_.fate(request_count_++);
  if (service_ == nullptr) return kDown;
  const Seconds end = clock_.now() + timeout;
  ByteVector sent(request.begin(), request.end());
  fate.request.damage(sent);
  if (!pass(fate.request, end)) return kLate;
  InferReply answer;
  const int deliveries = fate.duplicated ? 2 : 1;
  for (int i = 0; i < deliveries; ++i) {
    InferRequest parsed;
    CallStatus read = readRequest(sent, service_->requestLimits(), parsed);
    if (!read.ok()) return read;
    answer = service_->infer(std::move(parsed), end - clock_.now());
  }
  if (!pass(fate.reply, end)) return kLate;
  if (!answer.status.ok()) return answer.status;
  reply = writeReply(answer);
  fate.reply.damage(reply);
  return {};
}

CallStatus InProcessTransport::ready(Seconds timeout) {
  const CallFate fate = probes_.fate(probe_count_++);
  if (service_ == nullptr) return kDown;
  if (!pass(fate.request, clock_.now() + timeout)) return kLate;
  if (!service_->ready()) return {CallCode::unavailable, "the server is stopping"};
  return {};
}

}  // namespace narrows
