#pragma once

#include <cstddef>
#include <cstdint>

namespace narrows::executor {

/// Work that is cut into parts which may run at once.
class Parts {
 public:
  virtual ~Parts() = default;
  virtual void run(std::size_t part) const = 0;
};

/// Runs parts 0..count-1, each on its own thread of the calling thread's team; returns when all are
/// done. One part runs on the caller.
void runParts(std::size_t count, const Parts& parts);

/// `body(part)` for every part in [0, count).
template <class Body>
void parallel(std::size_t count, const Body& body) {
  if (count <= 1) {
    body(std::size_t{0});
    return;
  }
  class Bound final : public Parts {
   public:
    explicit Bound(const Body& bound) : bound_(bound) {}
    void run(std::size_t part) const override { bound_(part); }

   private:
    const Body& bound_;
  };
  runParts(count, Bound(body));
}

/// The half-open range of `total` items that falls to `part` of `count`.
struct Share {
  std::int64_t begin;
  std::int64_t end;
};
inline Share share(std::int64_t total, std::size_t part, std::size_t count) {
  const auto parts = static_cast<std::int64_t>(count);
  const auto index = static_cast<std::int64_t>(part);
  return {total * index / parts, total * (index + 1) / parts};
}

/// For its life, bounds the teams that libraries open from this thread (OpenMP).
class TeamSize {
 public:
  explicit TeamSize(std::size_t threads);
  TeamSize(const TeamSize&) = delete;
  TeamSize& operator=(const TeamSize&) = delete;
  ~TeamSize();

 private:
  int before_;
};

}  // namespace narrows::executor
