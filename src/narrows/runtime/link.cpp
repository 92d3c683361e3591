#include "narrows/runtime/link.h"

#include <array>
#include <charconv>

namespace narrows {
namespace {

constexpr std::size_t kTcpPayload = 1460;
/// IPv4 and TCP headers without options: 20 + 20 bytes.
constexpr std::size_t kTcpHeaders = 40;

/// Air rate at which full TCP packets give `goodput`.
constexpr BitsPerSecond rateOf(double goodput, std::size_t payload, std::size_t overhead) {
  return BitsPerSecond(goodput * static_cast<double>(payload + overhead) /
                       static_cast<double>(payload));
}

/// 802.11 frame around an IP packet: QoS data header 26, LLC/SNAP 8, FCS 4 bytes.
constexpr std::size_t kWifiOverhead = kTcpHeaders + 38;
/// Ethernet around an IP packet: preamble 8, header 14, FCS 4, gap 12 bytes (IEEE 802.3).
constexpr std::size_t kEthernetOverhead = kTcpHeaders + 38;
/// BLE around an attribute's value: ATT 3, L2CAP 4, link layer at 2 Mbit/s 2 + 4 + 2 + 3 bytes.
constexpr std::size_t kBleOverhead = 3 + 4 + 11;

const std::array<LinkProfile, 4>& table() {
  static const std::array<LinkProfile, 4> kProfiles = {{
      // Fast Ethernet; rate and framing of IEEE 802.3u. Latency: assumed, one switch.
      {"ethernet", BitsPerSecond(100e6), BitsPerSecond(100e6), microseconds(100), kTcpPayload,
       kEthernetOverhead, Seconds(0)},
      // ESP32: TCP 20 Mbit/s in lab air (Espressif's throughput table), taken for both directions;
      // acknowledgements are part of that figure. Latency: assumed.
      {"wifi", rateOf(20e6, kTcpPayload, kWifiOverhead), rateOf(20e6, kTcpPayload, kWifiOverhead),
       milliseconds(2), kTcpPayload, kWifiOverhead, Seconds(0)},
      // BLE 5, 2M, length extension: 244 bytes in 1048 us, then 150 + 44 + 150 us (Goodix BLE wiki;
      // 1.402 Mbit/s in all). Latency: one connection interval of 7.5 ms, the shortest allowed.
      {"ble5", BitsPerSecond(2e6), BitsPerSecond(2e6), milliseconds(7.5), 244, kBleOverhead,
       microseconds(344)},
      // LTE Cat-4: 50 Mbit/s up and 150 down at best (SIM7600 pages). Latency: assumed.
      {"lte-cat4", BitsPerSecond(50e6), BitsPerSecond(150e6), milliseconds(25), kTcpPayload,
       kTcpHeaders, Seconds(0)},
  }};
  return kProfiles;
}

std::string knownLinks() {
  std::string names;
  for (const LinkProfile& profile : table()) names += profile.name + ", ";
  return names + "or a rate such as 2Mbit/s";
}

Result<BitsPerSecond> parseRate(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  double factor = 0;
  if (unit == "bit/s") factor = 1;
  if (unit == "kbit/s") factor = 1e3;
  if (unit == "Mbit/s") factor = 1e6;
  if (unit == "Gbit/s") factor = 1e9;
  const double rate = value * factor;
  // Slower than one bit a second or faster than any link is a typing error.
  if (error != std::errc() || !(rate >= 1) || !(rate <= 1e13)) {
    return makeError("\"{}\" is not a link; known are {}", text, knownLinks());
  }
  return BitsPerSecond(rate);
}

std::size_t packetCount(const LinkProfile& link, std::size_t message_bytes) {
  if (message_bytes == 0) return 1;
  return (message_bytes + link.payload - 1) / link.payload;
}

}  // namespace

std::span<const LinkProfile> linkProfiles() {
  return table();
}

Result<LinkProfile> parseLink(std::string_view text) {
  for (const LinkProfile& profile : table()) {
    if (profile.name == text) return profile;
  }
  NARROWS_TRY(rate, parseRate(text));
  LinkProfile link;
  link.name = std::string(text);
  link.uplink = rate;
  link.downlink = rate;
  link.payload = kTcpPayload;
  link.overhead = kTcpHeaders;
  return link;
}

Bytes wireBytes(const LinkProfile& link, std::size_t message_bytes) {
  return Bytes(
      static_cast<double>(message_bytes + packetCount(link, message_bytes) * link.overhead));
}

Seconds transferTime(const LinkProfile& link, std::size_t message_bytes, LinkDirection direction) {
  const BitsPerSecond rate = direction == LinkDirection::up ? link.uplink : link.downlink;
  const auto packets = static_cast<double>(packetCount(link, message_bytes));
  return link.latency + wireBytes(link, message_bytes) / rate + link.gap * packets;
}

}  // namespace narrows
