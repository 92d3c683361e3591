#include "narrows/runtime/group/coordinator.h"

namespace narrows {

std::string_view toString(GroupEvent::Kind kind) {
  switch (kind) {
    case GroupEvent::Kind::lost:
      return "lost";
    case GroupEvent::Kind::returned:
      return "returned";
    case GroupEvent::Kind::dropped:
      return "dropped";
    case GroupEvent::Kind::planned:
      return "planned";
    case GroupEvent::Kind::stuck:
      return "stuck";
  }
  return "stuck";
}

std::size_t GroupAnswer::frameBytes() const {
  std::size_t sum = 0;
  for (const DeviceWork& device : work) {
    for (const DeviceWork::Sent& sent : device.sent) sum += sent.frame_bytes;
  }
  return sum;
}

std::size_t GroupAnswer::messageBytes() const {
  std::size_t sum = 0;
  for (const DeviceWork& device : work) {
    for (const DeviceWork::Sent& sent : device.sent) sum += sent.message_bytes;
  }
  return sum;
}

}  // namespace narrows
