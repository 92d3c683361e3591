#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/runtime/group/deployment.h"
#include "narrows/runtime/group/peer.h"
#include "narrows/vision/detection.h"

namespace narrows {

/// Which worker stands for a device of the plan.
struct GroupMember {
  std::string device;
  /// HOST:PORT, as the other workers reach it too.
  std::string address;
};

/// Something happened to the group.
struct GroupEvent {
  enum class Kind : std::uint8_t {
    /// A worker does not answer.
    lost,
    /// A lost worker answers again.
    returned,
    /// A worker is not used any more: what it sends is wrong.
    dropped,
    /// A plan is active.
    planned,
    /// There is no plan for the workers that are left.
    stuck,
  };
  Kind kind = Kind::lost;
  /// Empty for plans.
  std::string device;
  std::string message;
};
std::string_view toString(GroupEvent::Kind kind);

/// A plan for the devices that are left, by name; at least one. It may name these devices alone.
using Replanner = std::function<Result<Deployment>(const std::vector<std::string>& alive)>;

struct CoordinatorOptions {
  /// How often each worker is asked whether it is there, and how long it may take to answer.
  Seconds heartbeat = milliseconds(250);
  Seconds lost_after = Seconds(1);
  /// For a frame; time in which the group is planned anew does not count.
  Seconds deadline = Seconds(30);
  /// How long all workers may take to appear at the start.
  Seconds wait = Seconds(10);
  /// Frames on their way at once.
  std::size_t in_flight = 1;
  /// The model's outputs are wanted beside the predictions.
  bool outputs = false;
  /// Without one, the shares of lost devices move to others as they are.
  Replanner replanner;
};

/// What goes into the group.
struct GroupInput {
  RunInput kind = RunInput::picture;
  /// A picture's file, or the elements of the model's inputs one after the other.
  ByteSpan payload;
  /// Of the picture.
  std::optional<ImageSize> size;
};

/// What one device did for a frame; measured.
struct DeviceWork {
  std::string device;
  Seconds compute;
  /// Making and opening the frames that cross.
  Seconds coding;
  struct Sent {
    std::string to;
    std::size_t messages = 0;
    /// Frames with their headers, as the plan counts them; then whole messages.
    std::size_t frame_bytes = 0;
    std::size_t message_bytes = 0;
  };
  std::vector<Sent> sent;
};

struct GroupAnswer {
  Prediction prediction;
  /// The model's outputs in the plan's order, when they are wanted.
  std::vector<Tensor> outputs;
  /// Number of the plan that gave it, from 1; and how many were tried.
  std::uint32_t plan = 0;
  int attempts = 0;
  /// From the call to the answer; and how much of it passed without a plan.
  Seconds total;
  Seconds replanning;
  /// Of the run that gave the answer.
  Seconds run;
  std::vector<DeviceWork> work;

  std::size_t frameBytes() const;
  std::size_t messageBytes() const;
};

/// Leads a group of workers: holds the weights, hands out the shares, brings in the inputs and
/// takes the answers. A frame whose run breaks, because a worker is gone or what it says is wrong,
/// is run again by those that are left, under a new plan; a worker that returns is taken back.
/// Safe for several threads.
class Coordinator {
 public:
  /// Called from threads of the coordinator, which wait for it; it must not call the coordinator.
  using EventSink = std::function<void(const GroupEvent&)>;

  /// Waits for the workers, as long as `wait` says, and makes the first plan active. Fails when
  /// none answers, or a device of the plan has no worker named for it.
  static Result<std::unique_ptr<Coordinator>> start(Deployment deployment,
                                                    const std::vector<GroupMember>& members,
                                                    std::unique_ptr<PeerConnector> connector,
                                                    const CoordinatorOptions& options,
                                                    EventSink events);
  /// No `infer` may be under way.
  ~Coordinator();
  Coordinator(const Coordinator&) = delete;
  Coordinator& operator=(const Coordinator&) = delete;

  /// Runs one frame. At most `in_flight` callers at once; more wait.
  Result<GroupAnswer> infer(const GroupInput& input);

  /// The plan that is active, or was last.
  Deployment deployment() const;

 private:
  class Impl;
  explicit Coordinator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace narrows
