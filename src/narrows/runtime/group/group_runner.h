#pragma once

#include <atomic>
#include <functional>

#include "narrows/runtime/frame_record.h"
#include "narrows/runtime/frame_source.h"
#include "narrows/runtime/group/coordinator.h"

namespace narrows {

struct GroupSummary {
  std::size_t frames = 0;
  std::size_t failed = 0;
  Seconds elapsed;
};

/// Called with the records in the order of the source, one at a time; an error ends the run.
using GroupRecordSink =
    std::function<Status(const FrameRecord&, const GroupAnswer*, Picture& picture)>;

/// Runs the pictures of a source through a group, `in_flight` at once. A picture that cannot be
/// read, or is not answered, has a record that says why.
Result<GroupSummary> runGroup(Coordinator& coordinator, FrameSource& source, std::size_t in_flight,
                              const GroupRecordSink& sink, const std::atomic<bool>& stop);

}  // namespace narrows
