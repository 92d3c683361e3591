#pragma once

#include <chrono>
#include <mutex>
#include <thread>

#include "narrows/base/units.h"

namespace narrows {

/// Time as the runtime sees it, so that tests need no waiting. Safe for several threads.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Since some fixed moment; never goes back.
  virtual Seconds now() const = 0;
  virtual void sleep(Seconds duration) = 0;
};

class SystemClock : public Clock {
 public:
  Seconds now() const override {
    const std::chrono::duration<double> since = std::chrono::steady_clock::now().time_since_epoch();
    return Seconds(since.count());
  }
  void sleep(Seconds duration) override {
    if (duration > Seconds(0)) {
      std::this_thread::sleep_for(std::chrono::duration<double>(duration.value()));
    }
  }
};

/// Stands still but for `sleep`, which moves it at once.
class ManualClock : public Clock {
 public:
  Seconds now() const override {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  void sleep(Seconds duration) override {
    const std::lock_guard lock(mutex_);
    if (duration > Seconds(0)) now_ += duration;
  }

 private:
  mutable std::mutex mutex_;
  Seconds now_;
};

}  // namespace narrows
