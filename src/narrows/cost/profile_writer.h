#pragma once

#include <string>

#include "narrows/cost/device_model.h"

namespace narrows {

/// The profile as a file that `parseDeviceModel` reads: what `figures` lists, tables and predictor.
std::string formatDeviceModel(const DeviceModel& device);

}  // namespace narrows
