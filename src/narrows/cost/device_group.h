#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/cost/device_model.h"
#include "narrows/cost/link_model.h"

namespace narrows {

/// How the devices of a group reach each other.
enum class GroupMedium : std::uint8_t {
  /// Each device has its own cable to a switch, both ways at once; a message keeps the sender's way
  /// up and the receiver's way down busy for as long as the slower of the two takes.
  switched,
  /// One medium, as a radio channel: one message at a time.
  shared,
};

struct GroupDevice {
  std::string name;
  /// Faster than its profile by `speed`.
  DeviceModel model;
  LinkModel link;
  /// Bytes that pieces may take; absent: no limit.
  std::optional<double> memory;
};

/// The devices that a network can be spread over.
struct DeviceGroup {
  GroupMedium medium = GroupMedium::switched;
  std::vector<GroupDevice> devices;
  /// Indices: where inputs arise and where outputs are wanted.
  std::size_t source = 0;
  std::size_t sink = 0;
};

/// Most devices of a group.
inline constexpr std::size_t kMostGroupDevices = 64;

/// Reads a group:
///
///   medium = "switched"            # or "shared"
///   link = "100Mbit/s"             # as --link of `narrows price`, for devices without their own
///   source = "camera"              # optional: the first device
///   sink = "camera"                # optional: the source
///   [[device]]
///   name = "camera"
///   profile = "raspberry-pi4"      # as --device of `narrows price`
///   speed = 1.0                    # optional: times faster than the profile
///   memory = "512MB"               # optional: the profile's; "none" for no limit
///   link = "wifi"                  # optional
///   count = 1                      # optional: this many, named NAME1, NAME2, ...
///
/// `origin` names the text in errors.
Result<DeviceGroup> parseDeviceGroup(std::string_view toml, std::string_view origin);
Result<DeviceGroup> readDeviceGroup(const std::string& path);

/// "64MB", "1.5 GB", "48MiB" or a plain count of bytes; 0 when it is none of these.
double parseByteCount(std::string_view text);

}  // namespace narrows
