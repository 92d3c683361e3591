#pragma once

#include <cstdint>
#include <random>

#include "narrows/runtime/clock.h"
#include "narrows/runtime/service.h"
#include "narrows/runtime/transport.h"

namespace narrows {

/// What goes wrong between the two sides, as probabilities for each message.
struct FaultRates {
  /// A message vanishes; the caller's time runs out.
  double drop = 0;
  /// A message waits up to `max_delay` more.
  double delay = 0;
  Seconds max_delay = Seconds(1);
  /// A request arrives twice.
  double duplicate = 0;
  /// One to four bytes of a message change.
  double corrupt = 0;
};

/// The other end is a service in this process; faults come from a seed, time from a clock.
class InProcessTransport : public Transport {
 public:
  /// `service` and `clock` outlive the transport; null stands for a server that is down.
  InProcessTransport(InferenceService* service, Clock& clock, const FaultRates& rates = {},
                     std::uint64_t seed = 0)
      : service_(service), clock_(clock), rates_(rates), random_(seed) {}

  /// Takes the server away or puts one in its place.
  void connect(InferenceService* service) { service_ = service; }

  CallStatus infer(ByteSpan request, Seconds timeout, ByteVector& reply) override;
  CallStatus ready(Seconds timeout) override;

 private:
  bool happens(double rate);
  void damage(ByteVector& message);
  /// False when the message is lost or comes too late; the time is then used up.
  bool pass(Seconds begin, Seconds timeout);

  InferenceService* service_;
  Clock& clock_;
  FaultRates rates_;
  std::mt19937_64 random_;
};

}  // namespace narrows
