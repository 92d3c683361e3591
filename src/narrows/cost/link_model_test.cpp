#include "narrows/cost/link_model.h"

#include <gtest/gtest.h>

#include <random>

#include "narrows/cost/profiles.h"

namespace narrows {
namespace {

LinkModel builtIn(const std::string& name) {
  auto link = findLinkModel(name);
  EXPECT_TRUE(link.ok()) << link.error().message;
  return *link;
}

/// The formula as it is printed: whole packets, the rest, set-up and tail.
double formula(const LinkModel& link, double bytes, LinkWay way) {
  const double rate = (way == LinkWay::up ? link.up : link.down).value();
  const auto packet = [&](double size) {
    return link.contention.value() + (link.overhead + size) * 8 / rate + link.turn_around.value() +
           link.reply.value();
  };
  double time = link.setup.value() + link.tail.value();
  double left = bytes;
  for (; left >= link.payload; left -= link.payload) time += packet(link.payload);
  if (left > 0 || bytes == 0) time += packet(left);
  return time;
}

struct BleMode {
  const char* name;
  double payload;
  double data_us;
  double exchange_us;
  double rate_kbit_s;
};
// The published table: data packet, exchange and largest payload rate.
constexpr BleMode kBleModes[] = {{"ble4", 20, 296, 676, 237},
                                 {"ble5-1m", 244, 2088, 2468, 791},
                                 {"ble5", 244, 1048, 1392, 1402}};

TEST(LinkModel, BleExchangesAreThePublishedOnes) {
  for (const BleMode& mode : kBleModes) {
    const LinkModel link = builtIn(mode.name);
    const MessageTime time = messageTime(link, Bytes(mode.payload), LinkWay::up);
    EXPECT_EQ(time.packets, 1);
    EXPECT_NEAR(time.air.value() * 1e6, mode.data_us, 1e-6) << mode.name;
    EXPECT_NEAR((time.arrival() - time.setup).value() * 1e6, mode.exchange_us, 1e-6) << mode.name;
    EXPECT_NEAR(payloadRate(link, LinkWay::up).value() / 1e3, mode.rate_kbit_s, 0.5) << mode.name;
  }
}

TEST(LinkModel, Ble4FitsElevenExchangesInTheShortestInterval) {
  LinkModel link = builtIn("ble4");
  link.setup = Seconds();
  EXPECT_LT(messageTime(link, Bytes(11 * 20), LinkWay::up).arrival(), milliseconds(7.5));
  EXPECT_GT(messageTime(link, Bytes(12 * 20), LinkWay::up).arrival(), milliseconds(7.5));
}

TEST(LinkModel, WifiCarriesThePublishedThroughput) {
  EXPECT_NEAR(payloadRate(builtIn("wifi"), LinkWay::up).value() / 1e6, 20, 0.01);
  EXPECT_NEAR(payloadRate(builtIn("wifi54"), LinkWay::up).value() / 1e6, 54, 1e-9);
}

TEST(LinkModel, Ieee802154PacketsAreOfTheStandardsLength) {
  const LinkModel link = builtIn("ieee802154");
  // 133 B at 250 kbit/s are 4.256 ms; with back-off, turn-around, acknowledgement and space 6.688.
  const MessageTime time = messageTime(link, Bytes(link.payload), LinkWay::up);
  EXPECT_NEAR(time.air.value() * 1e3, 4.256, 1e-9);
  EXPECT_NEAR(time.arrival().value() * 1e3, 6.688, 1e-9);
}

TEST(LinkModel, TimeIsTheFormulasAndGrowsWithTheMessage) {
  std::mt19937_64 random(20231);
  for (const BuiltInProfile& profile : builtInLinks()) {
    const LinkModel link = builtIn(std::string(profile.name));
    for (LinkWay way : {LinkWay::up, LinkWay::down}) {
      double last = 0;
      double last_energy = 0;
      double bytes = 0;
      for (int i = 0; i < 200; ++i) {
        const MessageTime time = messageTime(link, Bytes(bytes), way);
        const double expected = formula(link, bytes, way);
        EXPECT_NEAR(time.total().value(), expected, 1e-12 + 1e-9 * expected)
            << link.name << ", " << bytes << " B";
        const double energy = sendEnergy(link, time).value();
        EXPECT_GE(time.total().value(), last);
        EXPECT_GE(energy, last_energy);
        last = time.total().value();
        last_energy = energy;
        bytes += static_cast<double>(random() % 700);
      }
    }
  }
}

TEST(LinkModel, EnergyIsPowerTimesTimeOfEachState) {
  LinkModel link;
  link.payload = 100;
  link.overhead = 25;
  link.up = BitsPerSecond(1e6);
  link.down = BitsPerSecond(2e6);
  link.contention = microseconds(200);
  link.turn_around = microseconds(100);
  link.reply = microseconds(50);
  link.setup = milliseconds(4);
  link.tail = milliseconds(1000);
  link.setup_power = Watts(0.1);
  link.transmit_power = Watts(2);
  link.receive_power = Watts(1);
  link.wait_power = Watts(0.5);
  link.tail_power = Watts(0.25);
  // 250 B: three packets, 325 B on the air.
  const MessageTime up = messageTime(link, Bytes(250), LinkWay::up);
  EXPECT_EQ(up.packets, 3);
  EXPECT_NEAR(up.air.value(), 2.6e-3, 1e-15);
  EXPECT_NEAR(up.arrival().value(), 4e-3 + 2.6e-3 + 3 * 350e-6, 1e-15);
  EXPECT_NEAR(up.total().value(), 1.00765, 1e-12);
  EXPECT_NEAR(sendEnergy(link, up).value(), 0.4e-3 + 5.2e-3 + 0.15e-3 + 0.45e-3, 1e-15);
  EXPECT_NEAR(receiveEnergy(link, up).value(), 0.4e-3 + 2.6e-3 + 0.3e-3 + 0.45e-3, 1e-15);
  EXPECT_NEAR(messageTime(link, Bytes(250), LinkWay::down).air.value(), 1.3e-3, 1e-15);
  EXPECT_EQ(bytesOnLink(link, Bytes(250)).value(), 325);
  EXPECT_EQ(messageTime(link, Bytes(200), LinkWay::up).packets, 2);
  EXPECT_EQ(messageTime(link, Bytes(0), LinkWay::up).packets, 1);
}

}  // namespace
}  // namespace narrows
