#pragma once

#include <algorithm>
#include <cstdint>
#include <random>

#include "narrows/base/units.h"

namespace narrows {

/// Pauses between attempts: each twice as long as the one before up to a limit, and then up to a
/// quarter more or less, so that nodes which lost a server together do not return together.
class Backoff {
 public:
  Backoff(Seconds first, Seconds limit, std::uint64_t seed)
      : first_(first), limit_(limit), next_(first), random_(seed) {}

  Seconds next() {
    const Seconds pause = next_ * std::uniform_real_distribution<double>(0.75, 1.25)(random_);
    next_ = std::min(next_ * 2.0, limit_);
    return pause;
  }
  void reset() { next_ = first_; }

 private:
  Seconds first_;
  Seconds limit_;
  Seconds next_;
  std::mt19937_64 random_;
};

}  // namespace narrows
