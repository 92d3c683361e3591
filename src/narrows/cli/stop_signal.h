#pragma once

#include <array>
#include <atomic>
#include <csignal>
#include <thread>

namespace narrows {

/// Turns the first SIGTERM or SIGINT into a flag; a second one ends the process at once. Threads
/// that libraries started before may take the signal as well as any other. One at a time.
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
  std::array<struct sigaction, 2> before_{};
  std::thread thread_;
};

}  // namespace narrows
