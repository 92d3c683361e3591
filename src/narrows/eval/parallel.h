#pragma once

#include <functional>

#include "narrows/base/result.h"
#include "narrows/base/thread_pool.h"

namespace narrows {

/// `ThreadPool::forEach` for bodies that can fail: the error of the lowest failed index, after
/// which no further iterations start.
Status forEachFallible(ThreadPool& pool, std::size_t count,
                       const std::function<Status(std::size_t index, std::size_t worker)>& body);

}  // namespace narrows
