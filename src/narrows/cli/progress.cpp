#include "narrows/cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace narrows {
namespace {

constexpr std::chrono::seconds kQuietTime{2};
constexpr std::chrono::milliseconds kRedrawTime{100};
constexpr std::size_t kBarWidth = 28;

std::string duration(double seconds) {
  const auto whole = std::lround(std::max(0.0, seconds));
  return whole >= 3600 ? fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
                       : fmt::format("{}:{:02}", whole / 60, whole % 60);
}

}  // namespace

ProgressBar::ProgressBar(std::string title, std::size_t total, std::string unit)
    : title_(std::move(title)),
      total_(total),
      unit_(std::move(unit)),
      visible_(::isatty(STDERR_FILENO) == 1),
      start_(Clock::now()),
      drawn_(start_) {}

ProgressBar::~ProgressBar() {
  if (shown_) fmt::print(stderr, "\r\x1b[K");
}

void ProgressBar::advance(std::size_t count) {
  std::lock_guard lock(mutex_);
  done_ += count;
  if (!visible_) return;
  const Clock::time_point now = Clock::now();
  if (now - start_ >= kQuietTime && now - drawn_ >= kRedrawTime) draw(now);
}

void ProgressBar::draw(Clock::time_point now) {
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const double rate = static_cast<double>(done_) / elapsed;
  const double share = total_ == 0 ? 1.0 : static_cast<double>(done_) / static_cast<double>(total_);
  const auto filled = std::min(kBarWidth, static_cast<std::size_t>(share * kBarWidth));
  fmt::print(
      stderr, "\r\x1b[K{} [{}{}] {:3.0f} %  {:.1f} {}/s  {} left", title_, std::string(filled, '#'),
      std::string(kBarWidth - filled, '.'), share * 100, rate, unit_,
      rate > 0 ? duration(static_cast<double>(total_ - std::min(done_, total_)) / rate) : "?");
  std::fflush(stderr);
  drawn_ = now;
  shown_ = true;
}

}  // namespace narrows
