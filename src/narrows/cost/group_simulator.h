#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/cost/compute_model.h"
#include "narrows/cost/device_group.h"
#include "narrows/cost/frame_cost.h"
#include "narrows/plan/plan.h"

/// Runs a plan on devices that exist as models only, event by event.
namespace narrows {

struct SimulationOptions {
  std::size_t frames = 1;
  /// A frame starts when fewer than this are on their way.
  std::size_t in_flight = 1;
  /// Bytes that every transfer between devices carries beside its elements.
  Bytes frame_overhead;
  /// Bytes that move for each byte of elements; below 1 where regions are coded.
  double wire_ratio = 1;
  /// For each transfer of the plan what crosses instead of its elements, and how long its devices
  /// are busy coding it. Empty: elements as they are, for no time. What stays within a device is
  /// ignored.
  std::vector<FrameCost> transfers = {};
  /// What every message but the answer takes at either end, added to the time of coding.
  ExchangeRates handling = {};
  /// What goes back from the sink to the source when a frame's outputs are there; 0 for nothing.
  /// The frame ends when it has arrived.
  Bytes answer;
  /// Cores that all devices share, as workers of one machine do: while more pieces run than there
  /// are cores, each gets its even part of them. Absent: each device has its own.
  std::optional<std::size_t> shared_cores = {};
};

enum class Activity : std::uint8_t { compute, encode, decode, message, answer };
std::string_view toString(Activity activity);

/// A piece that ran, a message that was coded, or one that moved.
struct TimelineEntry {
  std::size_t frame = 0;
  Activity activity = Activity::compute;
  /// The piece that ran; of a message the piece it comes from, invalid for inputs of the model and
  /// for the answer.
  PieceId piece;
  std::size_t device = 0;
  /// Of a message that moved: where it goes.
  std::optional<std::size_t> to;
  Bytes bytes;
  Seconds start;
  Seconds end;
};

struct SimulatedDevice {
  /// For each frame, means.
  Seconds compute;
  Seconds coding;
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
  /// Of the first frame, from its start to its end; from the first start to the last end, divided
  /// by the frames.
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

/// A device does one thing at a time, of what it can do the oldest frame's that comes first in the
/// plan: for each piece it decodes what the piece needs, runs it, then encodes what leaves. All
/// that one piece (or the model's inputs) sends to one device is one message. Messages that wait
/// for a way start in that same order. The devices of the plan are those of the group, in order.
Result<Simulation> simulateGroup(const DeviceGroup& group, const Plan& plan,
                                 std::span<const PieceCost> pieces,
                                 const SimulationOptions& options = {});

/// How long a message keeps its ways busy.
MessageTime groupMessageTime(const DeviceGroup& group, std::size_t from, std::size_t to,
                             Bytes bytes);

}  // namespace narrows
