#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>

namespace narrows {

/// A line on stderr with share done, rate and time left. Shows up after two seconds, and only where
/// stderr is a terminal. `advance` may be called by several threads.
class ProgressBar {
 public:
  /// `unit` names what is counted, such as "frames".
  ProgressBar(std::string title, std::size_t total, std::string unit);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar();

  void advance(std::size_t count = 1);

 private:
  using Clock = std::chrono::steady_clock;
  void draw(Clock::time_point now);

  const std::string title_;
  const std::size_t total_;
  const std::string unit_;
  const bool visible_;
  const Clock::time_point start_;
  std::mutex mutex_;
  std::size_t done_ = 0;
  Clock::time_point drawn_;
  bool shown_ = false;
};

}  // namespace narrows
