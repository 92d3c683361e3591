#include "narrows/runtime/inprocess_transport.h"

namespace narrows {
namespace {

const CallStatus kLate{CallCode::deadline_exceeded, "no answer in time"};
const CallStatus kDown{CallCode::unavailable, "the server is down"};

}  // namespace

bool InProcessTransport::happens(double rate) {
  return std::uniform_real_distribution<double>(0, 1)(random_) < rate;
}

void InProcessTransport::damage(ByteVector& message) {
  if (message.empty() || !happens(rates_.corrupt)) return;
  const int count = std::uniform_int_distribution<int>(1, 4)(random_);
  for (int i = 0; i < count; ++i) {
    const auto at = std::uniform_int_distribution<std::size_t>(0, message.size() - 1)(random_);
    const auto change = std::uniform_int_distribution<unsigned>(1, 255)(random_);
    message[at] ^= static_cast<std::byte>(change);
  }
}

bool InProcessTransport::pass(Seconds begin, Seconds timeout) {
  const Seconds end = begin + timeout;
  if (happens(rates_.drop)) {
    clock_.sleep(end - clock_.now());
    return false;
  }
  if (happens(rates_.delay)) {
    clock_.sleep(rates_.max_delay * std::uniform_real_distribution<double>(0, 1)(random_));
  }
  return clock_.now() <= end;
}

CallStatus InProcessTransport::infer(ByteSpan request, Seconds timeout, ByteVector& reply) {
  if (service_ == nullptr) return kDown;
  const Seconds begin = clock_.now();
  ByteVector sent(request.begin(), request.end());
  damage(sent);
  if (!pass(begin, timeout)) return kLate;
  InferReply answer;
  const int deliveries = happens(rates_.duplicate) ? 2 : 1;
  for (int i = 0; i < deliveries; ++i) {
    InferRequest parsed;
    const CallStatus read = readRequest(sent, service_->requestLimits(), parsed);
    if (!read.ok()) return read;
    answer = service_->infer(std::move(parsed), begin + timeout - clock_.now());
  }
  if (!pass(begin, timeout)) return kLate;
  if (!answer.status.ok()) return answer.status;
  reply = writeReply(answer);
  damage(reply);
  return {};
}

CallStatus InProcessTransport::ready(Seconds timeout) {
  if (service_ == nullptr) return kDown;
  if (!pass(clock_.now(), timeout)) return kLate;
  if (!service_->ready()) return {CallCode::unavailable, "the server is stopping"};
  return {};
}

}  // namespace narrows
