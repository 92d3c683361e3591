#include <cmath>
#include <cstddef>
#include <cstdint>

#include "narrows/base/assert.h"
#include "narrows/base/byte_io.h"
#include "narrows/cost/profiles.h"

// Parses hostile profiles. What a link that is accepted makes of a message is finite and not
// negative; a device that is accepted has figures to price with.
namespace narrows {
namespace {

void checkMessage(const LinkModel& link, Bytes bytes, LinkWay way) {
  const MessageTime time = messageTime(link, bytes, way);
  for (double value : {time.total().value(), sendEnergy(link, time).value(),
                       receiveEnergy(link, time).value(), bytesOnLink(link, bytes).value()}) {
    NARROWS_ASSERT(std::isfinite(value) && value >= 0);
  }
  NARROWS_ASSERT(time.packets >= 1 && bytesOnLink(link, bytes) >= bytes);
}

void parseHostile(std::string_view text) {
  if (const auto link = parseLinkModel(text, "input"); link.ok()) {
    for (double bytes : {0.0, 1.0, 1e9}) {
      checkMessage(*link, Bytes(bytes), LinkWay::up);
      checkMessage(*link, Bytes(bytes), LinkWay::down);
    }
  }
  if (const auto device = parseDeviceModel(text, "input"); device.ok()) {
    NARROWS_ASSERT(device->rates || device->predictor || !device->tables.empty());
    NARROWS_ASSERT(!device->rates || device->rates->macs_per_s > 0);
    NARROWS_ASSERT(device->coding_slowdown > 0);
    for (const LayerTable& table : device->tables) {
      NARROWS_ASSERT(!table.rows.empty());
      for (const LayerFigure& row : table.rows) {
        NARROWS_ASSERT(!row.names.empty() && row.macs >= 0 && row.time >= Seconds());
      }
    }
  }
}

}  // namespace
}  // namespace narrows

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  narrows::parseHostile(narrows::asText(std::as_bytes(std::span(data, size))));
  return 0;
}
