#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "narrows/bundle/bundle.h"
#include "narrows/pipeline/device_pipeline.h"
#include "narrows/runtime/group/peer.h"
#include "narrows/runtime/group/worker_message.h"

namespace narrows {

/// What a worker does of the plan that is active.
struct WorkerShare {
  std::uint64_t session = 0;
  std::uint32_t epoch = 0;
  std::string digest;
  std::shared_ptr<const Bundle> bundle;
  DeviceId device;
  /// One for each frame that is on its way; they share programs.
  std::vector<DevicePipeline> pipelines;
  /// Those of them that have no frame.
  std::vector<std::size_t> free;
  /// By device; null for this one and for those without a part.
  std::vector<std::unique_ptr<Peer>> peers;
  /// A device whose message could not be read at all.
  std::optional<std::uint32_t> accused;

  const Exchange& exchange() const { return pipelines.front().exchange(); }
};

/// A frame on its way through a worker.
struct WorkerFrame {
  /// The coordinator has asked for it.
  bool asked = false;
  RunRequest request;
  /// Holds the payload of `request`.
  ByteVector body;
  CallDone done;
  double deadline = 0;
  /// Regions that came and are not in the pipeline yet, and the messages that hold them.
  std::vector<RegionsRequest> inbox;
  std::vector<ByteVector> bodies;
  std::vector<bool> seen;  // by channel
  /// Something came, or there is more to run.
  bool dirty = true;
  std::optional<std::size_t> slot;
  std::optional<Picture> picture;
  std::size_t sending = 0;
  RunReply reply;

  bool failed() const { return reply.end != RunEnd::done; }
  /// The first reason stays, but that a peer is wrong says more than any other.
  void fail(RunEnd end, std::string error, std::optional<std::uint32_t> blamed = std::nullopt);
};

/// Takes the regions into the frame's inbox. Fails, and fails the frame, when they are not what the
/// plan makes their sender send to this device.
Status acceptRegions(const WorkerShare& share, RegionsRequest request, ByteVector body,
                     WorkerFrame& frame);

/// Begins the frame on its pipeline with what the coordinator gave.
Status startFrame(WorkerShare& share, WorkerFrame& frame);

/// One message for each device, of frames that became ready together.
struct Outgoing {
  std::uint32_t device = 0;
  ByteVector body;
};
std::vector<Outgoing> packRegions(const WorkerShare& share, std::uint64_t frame_number,
                                  const std::vector<ChannelFrame>& frames, RunReply& reply);

/// What the coordinator is told of a frame that is done.
ByteVector finishedReply(const WorkerShare& share, WorkerFrame& frame);

}  // namespace narrows
