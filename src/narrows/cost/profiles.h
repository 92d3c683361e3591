#pragma once

#include <span>
#include <string>
#include <string_view>

#include "narrows/cost/device_model.h"
#include "narrows/cost/link_model.h"

namespace narrows {

/// A file of profiles/ as it was when this was built.
struct BuiltInProfile {
  std::string_view name;
  std::string_view text;
};

/// By name.
std::span<const BuiltInProfile> builtInLinks();
std::span<const BuiltInProfile> builtInDevices();

/// A built-in link by name, a profile file (its name ends in ".toml"), or a rate such as
/// "10Mbit/s" or "1.5 Gbit/s": Ethernet at that rate both ways. The error lists what is known.
Result<LinkModel> findLinkModel(const std::string& text);

/// A built-in device by name or a profile file (its name ends in ".toml").
Result<DeviceModel> findDeviceModel(const std::string& text);

}  // namespace narrows
