#include "narrows/cost/link_model.h"

#include <algorithm>
#include <cmath>

namespace narrows {
namespace {

BitsPerSecond rateOf(const LinkModel& link, LinkWay way) {
  return way == LinkWay::up ? link.up : link.down;
}

double packetCount(const LinkModel& link, Bytes bytes) {
  return std::max(1.0, std::ceil(bytes.value() / link.payload));
}

}  // namespace

MessageTime messageTime(const LinkModel& link, Bytes bytes, LinkWay way) {
  MessageTime time;
  time.packets = packetCount(link, bytes);
  time.setup = link.setup;
  // The packets' air times add up to that of all bytes at once, whole packets and the rest alike.
  time.air = bytesOnLink(link, bytes) / rateOf(link, way);
  time.replies = time.packets * link.reply;
  time.waiting = time.packets * (link.contention + link.turn_around);
  time.tail = link.tail;
  return time;
}

Bytes bytesOnLink(const LinkModel& link, Bytes bytes) {
  return bytes + Bytes(packetCount(link, bytes) * link.overhead);
}

Joules sendEnergy(const LinkModel& link, const MessageTime& time) {
  return link.setup_power * time.setup + link.transmit_power * time.air +
         link.receive_power * time.replies + link.wait_power * time.waiting;
}

Joules receiveEnergy(const LinkModel& link, const MessageTime& time) {
  return link.setup_power * time.setup + link.receive_power * time.air +
         link.transmit_power * time.replies + link.wait_power * time.waiting;
}

BitsPerSecond payloadRate(const LinkModel& link, LinkWay way) {
  const MessageTime time = messageTime(link, Bytes(link.payload), way);
  return BitsPerSecond(link.payload * 8 / (time.arrival() - time.setup).value());
}

}  // namespace narrows
