#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/plan/plan.h"
#include "narrows/vision/description.h"

/// What a plan makes its devices send each other: derived from the plan alone, so that all devices
/// agree without talking.
namespace narrows {

/// One frame for each picture from one device to another.
struct Channel {
  /// "frame" and the channel's index in the plan.
  std::string name;
  DeviceId from;
  DeviceId to;
  /// A feature interface's type is that of the box which crosses.
  InterfaceParams params;
  /// Indices into the plan's transfers: one for features; for a picture all that read it on the
  /// receiving device.
  std::vector<std::size_t> transfers;

  bool isImage() const { return std::holds_alternative<ImageInterface>(params); }
};

struct Exchange {
  /// Decodes the head: the one device on which all outputs of the model arise, unless an interface
  /// is named on their way to the plan's sink; then the sink.
  DeviceId head;
  std::vector<Channel> channels;
  /// The channel of each transfer of the plan; absent when it stays within a device.
  std::vector<std::optional<std::size_t>> channel_of;
  /// Where each transfer ends, with the model's outputs on `head`.
  std::vector<DeviceId> destination_of;

  std::vector<std::size_t> channelsFrom(DeviceId from, DeviceId to) const;
};

/// The plan must pass `checkPlan`; its error is given otherwise.
Result<Exchange> planExchange(const Plan& plan);

/// No frame of the channel is longer, in bytes.
std::size_t maxFrameBytes(const Channel& channel, const Preprocessing& preprocessing);

/// Identifies plan, interfaces and description, so that two sides can tell whether they hold the
/// same bundle: 64-bit FNV-1a (Fowler, Noll, Vo) over their fields. Weights are not part of it.
std::uint64_t bundleFingerprint(const Plan& plan, const ModelDescription& description);

}  // namespace narrows
