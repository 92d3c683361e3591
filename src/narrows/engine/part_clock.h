#pragma once

#include <chrono>
#include <cstddef>
#include <span>

#include "narrows/base/units.h"

namespace narrows {

/// Adds up how long the parts of a run take, one after another.
class PartClock {
 public:
  /// The first part begins now.
  explicit PartClock(std::span<Seconds> times) : times_(times), since_(Clock::now()) {}

  /// `part` ends now and the next one begins.
  void stop(std::size_t part) {
    const Clock::time_point now = Clock::now();
    times_[part] += Seconds(std::chrono::duration<double>(now - since_).count());
    since_ = now;
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::span<Seconds> times_;
  Clock::time_point since_;
};

}  // namespace narrows
