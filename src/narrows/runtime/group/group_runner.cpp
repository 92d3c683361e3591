#include "narrows/runtime/group/group_runner.h"

#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "narrows/runtime/clock.h"

namespace narrows {
namespace {

/// A picture that has been through the group and waits for those before it.
struct Finished {
  FrameRecord record;
  std::optional<GroupAnswer> answer;
  Picture picture;
};

class Runner {
 public:
  Runner(Coordinator& coordinator, FrameSource& source, const GroupRecordSink& sink,
         const std::atomic<bool>& stop)
      : coordinator_(coordinator), source_(source), sink_(sink), stop_(stop) {}

  Result<GroupSummary> run(std::size_t in_flight) {
    const Seconds began = clock_.now();
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < in_flight; ++i) threads.emplace_back([this] { work(); });
    for (std::thread& thread : threads) thread.join();
    if (!error_.ok()) return error_.takeError();
    summary_.elapsed = clock_.now() - began;
    return summary_;
  }

 private:
  void work() {
    while (true) {
      std::uint64_t number = 0;
      std::optional<SourceFrame> frame;
      {
        const std::lock_guard lock(source_mutex_);
        if (ended_ || stop_) return;
        auto next = source_.next();
        if (!next.ok() || !next->has_value()) {
          ended_ = true;
          if (!next.ok()) fail(next.takeError());
          return;
        }
        frame = std::move(*next);
        number = next_++;
      }
      deliver(number, answer(number, std::move(*frame)));
    }
  }

  Finished answer(std::uint64_t number, SourceFrame frame) {
    FrameRecord record;
    record.frame = number;
    record.input = frame.name;
    record.group.emplace();
    const Seconds began = clock_.now();
    if (!frame.picture.ok()) {
      record.error = frame.picture.error().message;
      return {std::move(record), std::nullopt, Picture::fromImage({})};
    }
    Finished finished{std::move(record), std::nullopt, std::move(*frame.picture)};
    auto answered = infer(finished.picture);
    finished.record.total = clock_.now() - began;
    if (!answered.ok()) {
      finished.record.error = answered.error().message;
      return finished;
    }
    fill(finished.record, *answered);
    finished.answer = std::move(*answered);
    return finished;
  }

  Result<GroupAnswer> infer(Picture& picture) {
    NARROWS_TRY(size, picture.size());
    NARROWS_TRY(file, picture.file());
    return coordinator_.infer({RunInput::picture, file, size});
  }

  void fill(FrameRecord& record, const GroupAnswer& answer) const {
    record.answered = AnsweredBy::group;
    record.attempts = answer.attempts;
    record.frame_bytes = answer.frameBytes();
    record.prediction = answer.prediction;
    record.group = GroupPart{answer.plan, answer.run, answer.replanning, answer.messageBytes()};
    const Plan plan = coordinator_.deployment().plan();
    for (std::size_t i = 0; i < answer.outputs.size(); ++i) {
      record.outputs.push_back(summarize(plan.outputs[i].name, answer.outputs[i]));
    }
  }

  void deliver(std::uint64_t number, Finished finished) {
    const std::lock_guard lock(sink_mutex_);
    waiting_.emplace(number, std::move(finished));
    for (auto at = waiting_.find(delivered_); at != waiting_.end();
         at = waiting_.find(delivered_)) {
      Finished& next = at->second;
      ++summary_.frames;
      if (next.record.answered == AnsweredBy::nobody) ++summary_.failed;
      Status status = sink_(next.record, next.answer ? &*next.answer : nullptr, next.picture);
      waiting_.erase(at);
      ++delivered_;
      if (!status.ok()) fail(status.takeError());
    }
  }

  /// The first error ends the run.
  void fail(Error error) {
    const std::lock_guard lock(error_mutex_);
    if (error_.ok()) error_ = std::move(error);
    ended_ = true;
  }

  Coordinator& coordinator_;
  FrameSource& source_;
  const GroupRecordSink& sink_;
  const std::atomic<bool>& stop_;
  SystemClock clock_;
  std::mutex source_mutex_;
  std::mutex sink_mutex_;
  std::mutex error_mutex_;
  std::atomic<bool> ended_ = false;
  std::uint64_t next_ = 0;
  std::uint64_t delivered_ = 0;
  std::map<std::uint64_t, Finished> waiting_;
  GroupSummary summary_;
  Status error_;
};

}  // namespace

Result<GroupSummary> runGroup(Coordinator& coordinator, FrameSource& source, std::size_t in_flight,
                              const GroupRecordSink& sink, const std::atomic<bool>& stop) {
  return Runner(coordinator, source, sink, stop).run(in_flight);
}

}  // namespace narrows
