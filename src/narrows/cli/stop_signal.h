#pragma once

#include <atomic>
#include <thread>

namespace narrows {

/// Turns the first SIGTERM or SIGINT into a flag; a second one ends the process at once. Made
/// before other threads, which inherit that the signals do not reach them. One at a time.
class StopSignal {
 public:
  StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  ~StopSignal();

  const std::atomic<bool>& raised() const { return raised_; }
  /// Returns when a signal has come.
  void wait() const { raised_.wait(false); }

 private:
  std::atomic<bool> raised_ = false;
  std::atomic<bool> ending_ = false;
  std::thread thread_;
};

}  // namespace narrows
