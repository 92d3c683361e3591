#pragma once

#include <cstdint>

#include "narrows/runtime/clock.h"
#include "narrows/runtime/fault_plan.h"
#include "narrows/runtime/service.h"
#include "narrows/runtime/transport.h"

namespace narrows {

/// The other end is a service in this process; faults come from a seed, time from a clock. What
/// befalls the n-th request, and the n-th probe, follows from the seed alone (`FaultPlan`). A whole
/// run repeats itself where time does too: with a `ManualClock` that one thread moves.
class InProcessTransport : public Transport {
 public:
  /// `service` and `clock` outlive the transport; null stands for a server that is down.
  InProcessTransport(InferenceService* service, Clock& clock, const FaultRates& rates = {},
                     std::uint64_t seed = 0)
      : service_(service), clock_(clock), requests_(rates, seed), probes_(rates, ~seed) {}

  /// Takes the server away or puts one in its place.
  void connect(InferenceService* service) { service_ = service; }

  CallStatus infer(ByteSpan request, Seconds timeout, ByteVector& reply) override;
  CallStatus ready(Seconds timeout) override;

 private:
  /// False when the message is lost or comes after `end`; that time is then used up.
  bool pass(const MessageFate& fate, Seconds end);

  InferenceService* service_;
  Clock& clock_;
  FaultPlan requests_;
  FaultPlan probes_;
  std::uint64_t request_count_ = 0;
  std::uint64_t probe_count_ = 0;
};

}  // namespace narrows
