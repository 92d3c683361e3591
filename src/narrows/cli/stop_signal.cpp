#include "narrows/cli/stop_signal.h"

#include <csignal>
#include <cstdlib>
#include <ctime>

namespace narrows {
namespace {

sigset_t stopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

/// What a shell reports of a program that SIGINT ended.
constexpr int kInterrupted = 130;

}  // namespace

StopSignal::StopSignal() {
  const sigset_t set = stopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = std::thread([this, set] {
    constexpr timespec kPause = {0, 100'000'000};
    while (!ending_) {
      if (sigtimedwait(&set, nullptr, &kPause) < 0) continue;
      if (raised_) {
        // Not patient any more: the usual end, without waiting for anybody.
        std::_Exit(kInterrupted);
      }
      raised_ = true;
      raised_.notify_all();
    }
  });
}

StopSignal::~StopSignal() {
  ending_ = true;
  thread_.join();
  const sigset_t set = stopSignals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace narrows
