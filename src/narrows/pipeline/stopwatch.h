#pragma once

#include <chrono>

#include "narrows/base/units.h"

namespace narrows {

/// Adds the time from its construction to its destruction to a total.
class Stopwatch {
 public:
  explicit Stopwatch(Seconds& total) : total_(total), start_(std::chrono::steady_clock::now()) {}
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  ~Stopwatch() {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
    total_ += Seconds(elapsed.count());
  }

 private:
  Seconds& total_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace narrows
