#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/cost/compute_model.h"
#include "narrows/cost/device_group.h"
#include "narrows/plan/plan.h"

/// Runs a plan on devices that exist as models only, event by event.
namespace narrows {

struct SimulationOptions {
  std::size_t frames = 1;
  /// A frame starts when fewer than this are on their way.
  std::size_t in_flight = 1;
  /// Bytes that every transfer between devices carries beside its elements.
  Bytes frame_overhead;
  /// Cores that all devices share, as workers of one machine do: while more pieces run than there
  /// are cores, each gets its even part of them. Absent: each device has its own.
  std::optional<std::size_t> shared_cores = {};
};

/// A piece that ran, or a message that moved.
struct TimelineEntry {
  std::size_t frame = 0;
  /// The piece that ran; of a message the piece it comes from, invalid for inputs of the model.
  PieceId piece;
  std::size_t device = 0;
  /// Of a message: where it goes.
  std::optional<std::size_t> to;
  Bytes bytes;
  Seconds start;
  Seconds end;
};

struct SimulatedDevice {
  /// For each frame, means.
  Seconds compute;
  Bytes sent;
  Bytes received;
  /// Compute and link; and idle power for the rest of a frame's period. Nothing when its power is
  /// not known or the plan does without it.
  std::optional<Joules> energy;
  /// Weights of all its pieces; the largest activations of one, its transfers' buffers included.
  std::size_t weights = 0;
  std::size_t activations = 0;
  std::size_t memory() const { return weights + activations; }
};

struct Simulation {
  /// Of the first frame, from its start to its last output; from the first start to the last end,
  /// divided by the frames.
  Seconds latency;
  Seconds period;
  /// Between devices, for each frame.
  Bytes traffic;
  std::vector<SimulatedDevice> devices;
  std::vector<TimelineEntry> timeline;

  Joules energy() const;
  std::size_t largestMemory() const;
};

/// What each piece of the plan takes where it runs. Rates apply to the piece as it is; a device
/// with a table of measured layers takes those in proportion.
Result<std::vector<PieceCost>> groupCosts(const DeviceGroup& group, const Graph& network,
                                          const Plan& plan, std::span<const Graph> pieces);

/// A device runs one piece at a time, of those that can run the one of the oldest frame that comes
/// first in the plan. All that one piece (or the model's inputs) sends to one device is one
/// message, which leaves when the piece is done. Messages that wait for a way start in that same
/// order. The devices of the plan are those of the group, in order.
Result<Simulation> simulateGroup(const DeviceGroup& group, const Plan& plan,
                                 std::span<const PieceCost> pieces,
                                 const SimulationOptions& options = {});

/// How long a message keeps its ways busy.
MessageTime groupMessageTime(const DeviceGroup& group, std::size_t from, std::size_t to,
                             Bytes bytes);

}  // namespace narrows
