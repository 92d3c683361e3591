#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace narrows::executor {

/// Threads that share the parts of one kernel at a time. Made for calls of microseconds: members
/// watch for work for a while before they sleep, and whoever is free takes the next part, so that a
/// member which the system does not schedule holds up nobody.
class Team {
 public:
  /// `size` members, the caller of `run` included; at least 1.
  explicit Team(std::size_t size);
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team();

  std::size_t size() const { return members_.size() + 1; }

  /// Calls `body(part)` for every part in [0, count) and returns when all are done. Which member
  /// runs a part is open; `body` must not throw. One call at a time.
  template <class Body>
  void run(std::size_t count, const Body& body) {
    if (count <= 1 || members_.empty()) {
      for (std::size_t part = 0; part < count; ++part) body(part);
      return;
    }
    const Bound<Body> bound(body);
    share(static_cast<std::uint32_t>(count), bound);
  }

 private:
  class Parts {
   public:
    virtual ~Parts() = default;
    virtual void run(std::size_t part) const = 0;
  };
  template <class Body>
  class Bound final : public Parts {
   public:
    explicit Bound(const Body& body) : body_(body) {}
    void run(std::size_t part) const override { body_(part); }

   private:
    const Body& body_;
  };

  void share(std::uint32_t count, const Parts& parts);
  void work();
  /// Runs parts of one call, which `ticket` numbers, until none is left.
  void takeParts(std::uint32_t ticket);
  std::uint32_t awaitTicket(std::uint32_t last) const;

  /// High half: number of the call; low half: parts not yet taken.
  std::atomic<std::uint64_t> open_{0};
  std::atomic<std::uint32_t> unfinished_{0};
  std::atomic<const Parts*> parts_{nullptr};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> members_;
};

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

}  // namespace narrows::executor
