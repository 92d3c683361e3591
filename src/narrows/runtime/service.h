#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "narrows/bundle/bundle.h"
#include "narrows/pipeline/device_pipeline.h"
#include "narrows/pipeline/local_pipeline.h"
#include "narrows/runtime/answer_cache.h"
#include "narrows/runtime/clock.h"
#include "narrows/runtime/message.h"
#include "narrows/runtime/stream_memory.h"
#include "narrows/runtime/wire.h"

namespace narrows {

struct ServiceOptions {
  /// The device of the plan that is served; empty for the only one besides the plan's source.
  std::string device;
  PipelineOptions pipeline;
  /// Pictures computed at once; each worker has its own programs.
  std::size_t workers = 1;
  /// Requests waiting or being computed; one more is refused with resource_exhausted.
  std::size_t max_in_flight = 64;
  /// Answers kept for repeated requests.
  std::size_t answers = 1024;
  std::size_t answer_bytes = std::size_t{16} << 20;
  /// For earlier frames of streams, to which later ones refer.
  std::size_t stream_bytes = std::size_t{256} << 20;
};

/// A tensor that the service takes or gives; an extent of -1 varies.
struct TensorMetadata {
  std::string name;
  std::string datatype;
  std::vector<std::int64_t> shape;
};

struct ServiceCounters {
  /// Computed and answered; the same request counts once however often it came.
  std::uint64_t answered = 0;
  /// Answered again without computing.
  std::uint64_t repeated = 0;
  std::uint64_t refused_full = 0;
  /// Dropped before computing because nobody waits any more.
  std::uint64_t expired = 0;
  std::uint64_t failed = 0;
};

/// The server's share of a plan behind a bounded queue, without a network. Safe for several
/// threads.
class InferenceService {
 public:
  using Done = std::function<void(const InferReply&)>;

  /// `clock` outlives the service.
  static Result<std::unique_ptr<InferenceService>> create(
      const std::shared_ptr<const Bundle>& bundle, const ServiceOptions& options, Clock& clock);
  /// Drains.
  ~InferenceService();
  InferenceService(const InferenceService&) = delete;
  InferenceService& operator=(const InferenceService&) = delete;

  /// Calls `done` exactly once, here or on another thread; it must not block and must not call the
  /// service. A request that still waits after `timeout` is dropped with deadline_exceeded.
  void submit(InferRequest request, Seconds timeout, Done done);
  /// `submit`, and waits for the answer.
  InferReply infer(InferRequest request, Seconds timeout);

  /// Refuses new requests from now on and returns when all others are answered.
  void drain();
  bool ready() const;

  const std::string& model() const { return bundle_->name; }
  std::vector<TensorMetadata> inputs() const;
  std::vector<TensorMetadata> outputs() const;
  /// What a request for this bundle can be at most.
  WireLimits requestLimits() const { return request_limits_; }
  ServiceCounters counters() const;

 private:
  struct Worker;
  struct Job {
    InferRequest request;
    std::string key;
    std::uint64_t digest = 0;
    Seconds entered;
    Seconds expires;
    std::vector<Done> waiting;
  };

  InferenceService(std::shared_ptr<const Bundle> bundle, const ServiceOptions& options,
                   Clock& clock);
  CallStatus admit(const InferRequest& request) const;
  void work(Worker& worker);
  InferReply compute(Worker& worker, const InferRequest& request) const;
  CallStatus answer(Worker& worker, const InferRequest& request, InferReply& reply) const;
  CallStatus receive(Worker& worker, const InferRequest& request) const;
  /// Lets no further request join the job. The mutex is held.
  void close(const Job& job);
  void finish(const std::shared_ptr<Job>& job, const std::shared_ptr<const InferReply>& reply);

  const std::shared_ptr<const Bundle> bundle_;
  const ServiceOptions options_;
  Clock& clock_;
  std::uint64_t fingerprint_ = 0;
  Exchange exchange_;
  DeviceId device_;
  WireLimits request_limits_;
  std::unique_ptr<StreamMemory> streams_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::deque<std::shared_ptr<Job>> queue_;
  /// Jobs with an id that wait or run, by key; those that expired are no longer among them.
  std::unordered_map<std::string, std::shared_ptr<Job>> open_;
  AnswerCache answers_;
  ServiceCounters counters_;
  std::size_t in_flight_ = 0;
  bool draining_ = false;
  bool stopping_ = false;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace narrows
