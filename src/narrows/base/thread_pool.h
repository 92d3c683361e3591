#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace narrows {

/// Hardware threads of this machine, 1 when it does not tell.
std::size_t hardwareThreads();
/// What a user asked for; 0: one per hardware thread.
std::size_t threadCount(std::size_t wanted);

/// Threads that run the iterations of a loop. One pool runs one loop at a time.
class ThreadPool {
 public:
  /// `threads` workers in all, the calling thread included; 0 means one per hardware thread.
  explicit ThreadPool(std::size_t threads);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  std::size_t size() const { return workers_.size() + 1; }

  /// Calls `body(index, worker)` for every index in [0, count), in any order, and returns when all
  /// are done. `worker` is in [0, size()), and no two calls run at once on one worker. `body` must
  /// not throw.
  void forEach(std::size_t count,
               const std::function<void(std::size_t index, std::size_t worker)>& body);

 private:
  void work(std::size_t worker);
  void drain(std::size_t worker);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  const std::function<void(std::size_t, std::size_t)>* body_ = nullptr;
  std::size_t count_ = 0;
  std::size_t next_ = 0;
  std::size_t busy_ = 0;
  std::size_t generation_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace narrows
