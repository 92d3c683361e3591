#include "narrows/cli/stop_signal.h"

#include <unistd.h>

#include <chrono>

namespace narrows {
namespace {

constexpr std::array kSignals{SIGTERM, SIGINT};
/// What a shell reports of a program that SIGINT ended.
constexpr int kInterrupted = 130;
constexpr std::chrono::milliseconds kWatch{20};

/// Signals since the last StopSignal was made. A handler is given nothing else that it could write
/// to. A blocked signal that a thread waits for would need no handler, but reaches the threads that
/// a library starts when it is loaded, and ends the process there.
std::atomic<int> signals_seen = 0;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
static_assert(std::atomic<int>::is_always_lock_free);

void seeSignal(int) {
  // Not patient any more: the usual end, without waiting for anybody.
  if (signals_seen.fetch_add(1) > 0) _exit(kInterrupted);
}

}  // namespace

StopSignal::StopSignal() {
  signals_seen = 0;
  struct sigaction action {};
  action.sa_handler = seeSignal;
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &before_[i]);
  thread_ = std::thread([this] {
    while (!ending_ && signals_seen == 0) std::this_thread::sleep_for(kWatch);
    if (signals_seen == 0) return;
    raised_ = true;
    raised_.notify_all();
  });
}

StopSignal::~StopSignal() {
  ending_ = true;
  thread_.join();
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before_[i], nullptr);
}

}  // namespace narrows
