#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/pipeline/device_pipeline.h"
#include "narrows/runtime/group/peer.h"

namespace narrows {

struct WorkerOptions {
  PipelineOptions pipeline;
  /// Where pieces are kept, by hash; empty for a directory that goes with the worker.
  std::filesystem::path store;
  std::uint64_t store_limit = std::uint64_t{4} << 30;
  /// Longest message that is taken, in bytes.
  std::size_t max_message = std::size_t{128} << 20;
  /// A coordinator that has been silent for so long may be replaced by another.
  Seconds lease = Seconds(3);
};

/// A device of a group: takes its share of a plan from a coordinator, runs its pieces as soon as
/// their inputs are there, of the oldest frame first, and sends what came of each piece straight to
/// the workers that read it, while it computes on.
class Worker {
 public:
  static Result<std::unique_ptr<Worker>> create(const WorkerOptions& options,
                                                std::unique_ptr<PeerConnector> connector);
  /// Ends what was begun; calls that wait are answered with an error.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// A message from outside: any bytes. `done` is called once, from any thread.
  void handle(WorkerCall call, ByteVector body, const CallDone& done);

  /// Answers all that waits with an error and takes nothing more.
  void stop();

  const WorkerOptions& options() const;

 private:
  class Impl;
  explicit Worker(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace narrows
