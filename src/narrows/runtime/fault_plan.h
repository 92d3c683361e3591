#pragma once

#include <cstdint>
#include <vector>

#include "narrows/base/byte_io.h"
#include "narrows/base/units.h"

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

/// What becomes of one message.
struct MessageFate {
  struct Damage {
    /// Which byte, as a share of the message's length in [0, 1).
    double where = 0;
    /// Never zero.
    std::byte change{1};
  };
  bool dropped = false;
  Seconds delay;
  std::vector<Damage> damages;

  void damage(ByteVector& message) const;
};

struct CallFate {
  MessageFate request;
  bool duplicated = false;
  MessageFate reply;
};

/// Decides what becomes of each call. The fate of call n follows from rates, seed and n alone:
/// neither what the messages hold nor how the calls before ended changes it.
class FaultPlan {
 public:
  FaultPlan(const FaultRates& rates, std::uint64_t seed) : rates_(rates), seed_(seed) {}

  CallFate fate(std::uint64_t call) const;

 private:
  FaultRates rates_;
  std::uint64_t seed_;
};

}  // namespace narrows
