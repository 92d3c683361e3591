#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/cost/profile_figure.h"

namespace narrows {

/// Time and power of one message, in the form of Krug and O'Nils (IEEE Access 7, 2019):
///   T = T_setup + n_full T_packet(payload) + T_packet(rest) + T_tail, E = sum of P_state t_state.
/// A packet of p bytes takes contention + (overhead + p) * 8 / rate + turn-around + reply.
struct LinkModel {
  std::string name;
  std::string summary;
  /// Most bytes of a message in one packet; at least 1.
  double payload = 1460;
  /// Bytes sent around them, at the same rate.
  double overhead = 0;
  /// Before a packet: back-off, queues.
  Seconds contention;
  /// Silence after it: inter-frame spaces.
  Seconds turn_around;
  /// The other side's empty packet or acknowledgement.
  Seconds reply;
  /// Up is from the node.
  BitsPerSecond up;
  BitsPerSecond down;
  /// Before the first packet of a message and after its last one. The message has arrived when the
  /// tail begins.
  Seconds setup;
  Seconds tail;
  /// Of one side. Waiting is contention and turn-around; idle is no message at all.
  Watts idle_power;
  Watts setup_power;
  Watts transmit_power;
  Watts receive_power;
  Watts wait_power;
  Watts tail_power;
  /// Every figure that the profile states, in its order.
  std::vector<ProfileFigure> figures;
};

enum class LinkWay : std::uint8_t { up, down };

/// What one message does on the link, seen by its sender.
struct MessageTime {
  double packets = 0;
  Seconds setup;
  /// Packets on the air, overhead included.
  Seconds air;
  Seconds replies;
  Seconds waiting;
  Seconds tail;

  /// Until the message has arrived.
  Seconds arrival() const { return setup + air + replies + waiting; }
  /// The formula's T.
  Seconds total() const { return arrival() + tail; }
};

/// Of a message of `bytes` (at least 0; fractions are means). An empty one is one empty packet.
MessageTime messageTime(const LinkModel& link, Bytes bytes, LinkWay way);

/// The message and what its packets carry around it; replies are not counted.
Bytes bytesOnLink(const LinkModel& link, Bytes bytes);

/// Energy of the two sides, the tail left out.
Joules sendEnergy(const LinkModel& link, const MessageTime& time);
Joules receiveEnergy(const LinkModel& link, const MessageTime& time);

/// Bytes that a link of full packets carries in a second, set-up and tail left out.
BitsPerSecond payloadRate(const LinkModel& link, LinkWay way);

/// Reads a profile (see docs/cost-model.md). `origin` names the text in errors:
/// "FILE:LINE: power.idle_mw: expected ...".
Result<LinkModel> parseLinkModel(std::string_view toml, std::string_view origin);

}  // namespace narrows
