#pragma once

#include <chrono>
#include <thread>
#include <vector>

#include "narrows/base/median.h"
#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/engine/part_clock.h"

namespace narrows {

/// Sleeps so long, as a device rests between pictures: its caches lose data and code, its clock may
/// fall. 0 does nothing.
inline void restFor(Seconds time) {
  if (time > Seconds()) std::this_thread::sleep_for(std::chrono::duration<double>(time.value()));
}

/// What the same work takes the calling thread, each time after some rest; processor time.
class RestedTimes {
 public:
  explicit RestedTimes(Seconds rest) : rest_(rest) {}

  template <class Work>
  Status time(Work&& work) {
    restFor(rest_);
    const Seconds start = runMoment(1);
    NARROWS_CHECK(work());
    seconds_.push_back((runMoment(1) - start).value());
    return {};
  }
  /// 0 when nothing was timed.
  Seconds middle() const { return Seconds(median(seconds_)); }

 private:
  Seconds rest_;
  std::vector<double> seconds_;
};

}  // namespace narrows
