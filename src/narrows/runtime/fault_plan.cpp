#include "narrows/runtime/fault_plan.h"

#include <algorithm>
#include <random>

namespace narrows {
namespace {

/// Draws the fates of one call's messages, always in the same order.
class FateDrawing {
 public:
  FateDrawing(const FaultRates& rates, std::uint64_t seed, std::uint64_t call) : rates_(rates) {
    std::seed_seq sequence{low(seed), high(seed), low(call), high(call)};
    random_.seed(sequence);
  }

  bool happens(double rate) { return share() < rate; }

  MessageFate message() {
    MessageFate fate;
    fate.dropped = happens(rates_.drop);
    if (happens(rates_.delay)) fate.delay = rates_.max_delay * share();
    if (happens(rates_.corrupt)) {
      const int count = std::uniform_int_distribution<int>(1, 4)(random_);
      for (int i = 0; i < count; ++i) {
        const double where = share();
        const auto change = std::uniform_int_distribution<unsigned>(1, 255)(random_);
        fate.damages.push_back({where, static_cast<std::byte>(change)});
      }
    }
    return fate;
  }

 private:
  static std::uint32_t low(std::uint64_t value) { return static_cast<std::uint32_t>(value); }
  static std::uint32_t high(std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); }
  double share() { return std::uniform_real_distribution<double>(0, 1)(random_); }

  const FaultRates& rates_;
  std::mt19937_64 random_;
};

}  // namespace

void MessageFate::damage(ByteVector& message) const {
  if (message.empty()) return;
  for (const Damage& damage : damages) {
    const auto at = static_cast<std::size_t>(damage.where * static_cast<double>(message.size()));
    message[std::min(at, message.size() - 1)] ^= damage.change;
  }
}

CallFate FaultPlan::fate(std::uint64_t call) const {
  FateDrawing drawing(rates_, seed_, call);
  CallFate fate;
  fate.request = drawing.message();
  fate.duplicated = drawing.happens(rates_.duplicate);
  fate.reply = drawing.message();
  return fate;
}

}  // namespace narrows
