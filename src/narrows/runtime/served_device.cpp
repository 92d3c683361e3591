#include "narrows/runtime/served_device.h"

#include <vector>

namespace narrows {

Result<DeviceId> servedDevice(const Plan& plan, std::string_view name) {
  std::vector<DeviceId> others;
  for (std::size_t i = 0; i < plan.devices.size(); ++i) {
    if (!name.empty() && plan.devices[i].name == name) return DeviceId(i);
    if (DeviceId(i) != plan.source_device) others.emplace_back(i);
  }
  if (!name.empty()) return makeError("the plan has no device \"{}\"", name);
  if (others.size() == 1) return others[0];
  if (others.empty()) return plan.source_device;
  return makeError("the plan has {} devices besides the source; name the one to serve",
                   others.size());
}

}  // namespace narrows
