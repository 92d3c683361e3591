#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "narrows/bundle/bundle.h"
#include "narrows/pipeline/device_pipeline.h"
#include "narrows/runtime/frame_record.h"
#include "narrows/runtime/frame_source.h"
#include "narrows/runtime/server_link.h"

namespace narrows {

struct EdgeNodeOptions {
  PipelineOptions pipeline;
  ServerLinkOptions server;
  /// Tells this node's requests from those of other nodes and other runs; made up when empty.
  std::string id;
  /// The device of the plan that the server stands for; empty for the only one besides the source.
  std::string server_device;
  /// Pictures worked on at once: with 2 or more the next ones are computed while one is on the
  /// link. Plans that send frames back to the node take one at a time.
  std::size_t depth = 2;
  /// A picture is taken so long after the one before, as from a camera; 0: as fast as they are
  /// answered. Pictures that come late are not left out.
  Seconds interval;
  /// Finish here what the server does not answer, when the bundle carries its share.
  bool fallback = true;
};

/// Gets each record with its picture, in the order of the input. An error ends the run.
using RecordSink = std::function<Status(const FrameRecord& record, Picture& picture)>;

struct NodeSummary {
  std::uint64_t frames = 0;
  std::uint64_t by_server = 0;
  std::uint64_t by_fallback = 0;
  std::uint64_t by_node = 0;
  std::uint64_t failed = 0;
  double frame_bytes = 0;
  Seconds elapsed;
};

/// Bounds of a server's reply for this plan.
WireLimits replyLimits(const Bundle& bundle);

/// The device where pictures arise: runs its share of the plan, sends frames to the server, and
/// makes one record of every picture.
class EdgeNode {
 public:
  /// `clock` outlives the node. `transport` may be null: everything is then finished here.
  static Result<std::unique_ptr<EdgeNode>> create(std::shared_ptr<const Bundle> bundle,
                                                  const EdgeNodeOptions& options,
                                                  std::unique_ptr<Transport> transport,
                                                  Clock& clock);
  ~EdgeNode();
  EdgeNode(const EdgeNode&) = delete;
  EdgeNode& operator=(const EdgeNode&) = delete;

  /// Until the source ends or `stop` becomes true; pictures begun are finished either way. Events
  /// may come from another thread than the records'.
  Result<NodeSummary> run(FrameSource& source, const RecordSink& records, EventSink events,
                          const std::atomic<bool>& stop);

  const std::string& id() const;
  /// Whether frames can be finished without the server.
  bool canFinish() const;

 private:
  class Impl;
  explicit EdgeNode(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace narrows
