#include "narrows/engine/executor/team.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace narrows::executor {
namespace {

constexpr int kWatches = 2000;  // about 100 microseconds, longer than most kernels

void pauseBriefly() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

std::uint32_t ticketOf(std::uint64_t open) {
  return static_cast<std::uint32_t>(open >> 32);
}

}  // namespace

Team::Team(std::size_t size) {
  for (std::size_t i = 1; i < size; ++i) members_.emplace_back([this] { work(); });
}

Team::~Team() {
  stopping_.store(true, std::memory_order_relaxed);
  open_.fetch_add(std::uint64_t{1} << 32, std::memory_order_release);
  open_.notify_all();
  for (std::thread& member : members_) member.join();
}

void Team::share(std::uint32_t count, const Parts& parts) {
  parts_.store(&parts, std::memory_order_relaxed);
  unfinished_.store(count, std::memory_order_relaxed);
  const std::uint32_t ticket = ticketOf(open_.load(std::memory_order_relaxed)) + 1;
  open_.store((std::uint64_t{ticket} << 32) | count, std::memory_order_release);
  open_.notify_all();
  takeParts(ticket);
  for (int i = 0; unfinished_.load(std::memory_order_acquire) != 0; ++i) {
    if (i < kWatches) {
      pauseBriefly();
    } else {
      std::this_thread::yield();
    }
  }
}

void Team::takeParts(std::uint32_t ticket) {
  std::uint64_t open = open_.load(std::memory_order_acquire);
  // A part can be taken only while its call lasts, and the call lasts until the part is done.
  while (ticketOf(open) == ticket && (open & 0xFFFFFFFFU) != 0) {
    if (!open_.compare_exchange_weak(open, open - 1, std::memory_order_acq_rel,
                                     std::memory_order_acquire)) {
      continue;
    }
    parts_.load(std::memory_order_relaxed)->run((open & 0xFFFFFFFFU) - 1);
    unfinished_.fetch_sub(1, std::memory_order_release);
    open = open_.load(std::memory_order_acquire);
  }
}

std::uint32_t Team::awaitTicket(std::uint32_t last) const {
  for (int i = 0;; ++i) {
    const std::uint64_t open = open_.load(std::memory_order_acquire);
    if (ticketOf(open) != last) return ticketOf(open);
    if (i < kWatches) {
      pauseBriefly();
    } else {
      open_.wait(open, std::memory_order_acquire);
    }
  }
}

void Team::work() {
  std::uint32_t ticket = 0;
  while (true) {
    ticket = awaitTicket(ticket);
    if (stopping_.load(std::memory_order_relaxed)) return;
    takeParts(ticket);
  }
}

}  // namespace narrows::executor
