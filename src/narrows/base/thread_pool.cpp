#include "narrows/base/thread_pool.h"

#include <algorithm>

namespace narrows {

std::size_t hardwareThreads() {
  return std::max(1U, std::thread::hardware_concurrency());
}

std::size_t threadCount(std::size_t wanted) {
  return wanted != 0 ? wanted : hardwareThreads();
}

ThreadPool::ThreadPool(std::size_t threads) {
  const std::size_t count = threadCount(threads);
  for (std::size_t worker = 1; worker < count; ++worker) {
    workers_.emplace_back([this, worker] { work(worker); });
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::forEach(std::size_t count,
                         const std::function<void(std::size_t, std::size_t)>& body) {
  {
    std::lock_guard lock(mutex_);
    body_ = &body;
    count_ = count;
    next_ = 0;
    busy_ = workers_.size();
    ++generation_;
  }
  wake_.notify_all();
  drain(0);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return busy_ == 0; });
  body_ = nullptr;
}

void ThreadPool::work(std::size_t worker) {
  std::size_t seen = 0;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
      if (stopping_) return;
      seen = generation_;
    }
    drain(worker);
    std::lock_guard lock(mutex_);
    if (--busy_ == 0) done_.notify_all();
  }
}

void ThreadPool::drain(std::size_t worker) {
  for (;;) {
    std::size_t index = 0;
    {
      std::lock_guard lock(mutex_);
      if (next_ >= count_) return;
      index = next_++;
    }
    (*body_)(index, worker);
  }
}

}  // namespace narrows
