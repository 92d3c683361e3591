#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "narrows/base/result.h"
#include "narrows/base/units.h"

namespace narrows {

/// A link as a sender of messages feels it. One message of D bytes takes
///   latency + sum over its ceil(D / payload) packets of (bytes + overhead) * 8 / rate + gap.
/// (The form of Krug and O'Nils, IEEE Access 7, 2019: set-up plus packets, overheads included.)
struct LinkProfile {
  std::string name;
  /// While a packet is on the air or the wire.
  BitsPerSecond uplink;
  BitsPerSecond downlink;
  /// One way, for each message.
  Seconds latency;
  /// Largest payload of a packet and what is sent around it, in bytes.
  std::size_t payload = 1460;
  std::size_t overhead = 40;
  /// Turn-around after each packet: acknowledgements and mandatory pauses.
  Seconds gap;
};

/// Named profiles: "ethernet", "wifi", "ble5", "lte-cat4".
std::span<const LinkProfile> linkProfiles();

/// A profile by name; or a rate such as "2Mbit/s", "250kbit/s", "1.5 Gbit/s" or "9600bit/s": TCP
/// over a link of that rate in both directions, without latency. The error lists what is known.
Result<LinkProfile> parseLink(std::string_view text);

/// Bytes of a message on the link, overhead of its packets included. An empty message is a packet.
Bytes wireBytes(const LinkProfile& link, std::size_t message_bytes);
enum class LinkDirection : std::uint8_t { up, down };
Seconds transferTime(const LinkProfile& link, std::size_t message_bytes, LinkDirection direction);

}  // namespace narrows
