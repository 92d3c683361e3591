#pragma once

#include <cstddef>
#include <ctime>
#include <span>

#include "narrows/base/units.h"

namespace narrows {

/// A moment of a run. With one thread it is the calling thread's processor time, in which work of
/// other processes does not count; on an idle machine that is the time that passes. With more it is
/// the time that passes.
inline Seconds runMoment(std::size_t threads) {
  timespec moment{};
  clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &moment);
  return Seconds(static_cast<double>(moment.tv_sec) + 1e-9 * static_cast<double>(moment.tv_nsec));
}

/// Adds up how long the parts of a run take, one after another.
class PartClock {
 public:
  /// The first part begins now. `threads` as for `runMoment`.
  PartClock(std::span<Seconds> times, std::size_t threads)
      : times_(times), threads_(threads), since_(runMoment(threads)) {}

  /// `part` ends now and the next one begins.
  void stop(std::size_t part) {
    const Seconds now = runMoment(threads_);
    times_[part] += now - since_;
    since_ = now;
  }

 private:
  std::span<Seconds> times_;
  std::size_t threads_;
  Seconds since_;
};

}  // namespace narrows
