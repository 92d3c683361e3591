#include "narrows/runtime/link.h"

#include <gtest/gtest.h>

namespace narrows {
namespace {

TEST(Link, BleCarriesItsPublishedRate) {
  const auto link = parseLink("ble5");
  ASSERT_TRUE(link.ok());
  // One full packet: 1048 us of data, 344 us until the next one.
  const Seconds one = transferTime(*link, 244, LinkDirection::up) - link->latency;
  EXPECT_NEAR(one.value(), 1392e-6, 1e-9);
  const Seconds many = transferTime(*link, 244 * 1000, LinkDirection::up) - link->latency;
  EXPECT_NEAR(244 * 1000 * 8 / many.value(), 1.402e6, 1e3);
}

TEST(Link, WifiCarriesItsPublishedRate) {
  const auto link = parseLink("wifi");
  ASSERT_TRUE(link.ok());
  const Seconds time = transferTime(*link, 1460 * 1000, LinkDirection::up) - link->latency;
  EXPECT_NEAR(1460 * 1000 * 8 / time.value(), 20e6, 1);
}

TEST(Link, LteIsFasterDown) {
  const auto link = parseLink("lte-cat4");
  ASSERT_TRUE(link.ok());
  const auto time = [&](LinkDirection direction) {
    return (transferTime(*link, 1'000'000, direction) - link->latency).value();
  };
  EXPECT_NEAR(time(LinkDirection::up) / time(LinkDirection::down), 3, 1e-9);
}

TEST(Link, ParsesRates) {
  const std::pair<const char*, double> cases[] = {
      {"2Mbit/s", 2e6}, {"250kbit/s", 250e3}, {"1.5 Gbit/s", 1.5e9}, {"9600bit/s", 9600}};
  for (const auto& [text, rate] : cases) {
    const auto link = parseLink(text);
    ASSERT_TRUE(link.ok()) << text;
    EXPECT_DOUBLE_EQ(link->uplink.value(), rate);
    // 1000 bytes and 40 of headers in one packet.
    EXPECT_DOUBLE_EQ(transferTime(*link, 1000, LinkDirection::up).value(), 1040 * 8 / rate);
  }
}

TEST(Link, CountsPacketsAroundTheirLimit) {
  const auto link = parseLink("1Mbit/s");
  ASSERT_TRUE(link.ok());
  EXPECT_EQ(wireBytes(*link, 0).value(), 40);
  EXPECT_EQ(wireBytes(*link, 1460).value(), 1500);
  EXPECT_EQ(wireBytes(*link, 1461).value(), 1541);
}

TEST(Link, RefusesWhatIsNoLink) {
  for (const char* text : {"", "wlan", "2", "2Mb", "-1Mbit/s", "0bit/s", "nanbit/s", "infbit/s",
                           "1e300Gbit/s", "Mbit/s", "2Mbit/s "}) {
    const auto link = parseLink(text);
    ASSERT_FALSE(link.ok()) << text;
    EXPECT_NE(link.error().message.find("ble5"), std::string::npos);
  }
}

}  // namespace
}  // namespace narrows
