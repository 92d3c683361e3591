#include "narrows/eval/parallel.h"

#include <atomic>
#include <mutex>
#include <optional>

namespace narrows {

Status forEachFallible(ThreadPool& pool, std::size_t count,
                       const std::function<Status(std::size_t, std::size_t)>& body) {
  std::atomic<bool> failed = false;
  std::mutex mutex;
  std::size_t failed_index = count;
  std::optional<Error> first;
  pool.forEach(count, [&](std::size_t index, std::size_t worker) {
    if (failed) return;
    Status status = body(index, worker);
    if (status.ok()) return;
    failed = true;
    std::lock_guard lock(mutex);
    if (index < failed_index) {
      failed_index = index;
      first = status.takeError();
    }
  });
  if (first) return std::move(*first);
  return {};
}

}  // namespace narrows
