#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "narrows/runtime/group/file_store.h"
#include "narrows/runtime/group/worker.h"
#include "narrows/runtime/group/worker_share.h"

namespace narrows {

/// Gathers a worker's files and makes its shares of plans of them. Safe for several threads.
class ShareMaker {
 public:
  ShareMaker(const WorkerOptions& options, FileStore store,
             std::unique_ptr<PeerConnector> connector)
      : options_(options), store_(std::move(store)), connector_(std::move(connector)) {}

  /// Which of the files that are named it lacks.
  Result<PrepareReply> missing(const PrepareRequest& request);
  Status store(const StoreRequest& request);
  /// Compiles the device's pieces and connects to those that it sends to. Takes over the pipelines
  /// of `old`, if any, when it is the same share.
  Result<std::unique_ptr<WorkerShare>> make(const ActivateRequest& request, WorkerShare* old);

 private:
  Result<Bundle> load(const ActivateRequest& request, const Manifest& manifest);
  /// What one piece sends to one device must fit into a message.
  Status checkMessageSizes(const WorkerShare& share) const;

  const WorkerOptions options_;
  std::mutex mutex_;
  FileStore store_;
  std::unique_ptr<PeerConnector> connector_;
};

}  // namespace narrows
