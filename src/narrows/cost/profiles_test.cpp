#include "narrows/cost/profiles.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "narrows/base/file.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

const std::string kLink =
    "name = \"mine\"\n"
    "[packet]\n"
    "payload_bytes = 100\n"
    "overhead_bytes = { value = 10, origin = \"published\", source = \"a page\" }\n"
    "[rate]\n"
    "up_bit_s = 1e6\n"
    "down_bit_s = 2000000\n"
    "[message]\n"
    "setup_ms = 3\n"
    "[power]\n"
    "transmit_mw = 100\n"
    "receive_mw = 50\n";

const std::string kDevice =
    "name = \"board\"\n"
    "[power]\n"
    "compute_w = 2\n"
    "idle_w = 1\n"
    "[compute]\n"
    "macs_per_s = 1e9\n";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string linkError(const std::string& text) {
  auto link = parseLinkModel(text, "F");
  return link.ok() ? "" : link.error().message;
}

std::string deviceError(const std::string& text) {
  auto device = parseDeviceModel(text, "F");
  return device.ok() ? "" : device.error().message;
}

TEST(Profiles, EveryFileOfTheSourceTreeIsBuiltIn) {
  for (const auto& [folder, profiles] :
       {std::pair("links", builtInLinks()), std::pair("devices", builtInDevices())}) {
    std::size_t files = 0;
    for (const auto& entry :
         fs::directory_iterator(fs::path(NARROWS_SOURCE_DIR) / "profiles" / folder)) {
      ++files;
      const auto text = readTextFile(entry.path());
      ASSERT_TRUE(text.ok());
      bool found = false;
      for (const BuiltInProfile& profile : profiles)
        found = found || (entry.path().stem() == profile.name && *text == profile.text);
      EXPECT_TRUE(found) << entry.path();
    }
    EXPECT_EQ(files, profiles.size());
  }
}

TEST(Profiles, BuiltInOnesReadAndStateASourceForEachFigure) {
  const auto checkFigures = [](const auto& profile, std::string_view name) {
    EXPECT_EQ(profile.name, name);
    EXPECT_FALSE(profile.summary.empty()) << name;
    EXPECT_FALSE(profile.figures.empty()) << name;
    for (const ProfileFigure& figure : profile.figures) {
      EXPECT_NE(figure.source, "stated without a source") << name << " " << figure.key;
      EXPECT_FALSE(figure.unit.empty());
    }
  };
  for (const BuiltInProfile& profile : builtInLinks()) {
    auto link = findLinkModel(std::string(profile.name));
    ASSERT_TRUE(link.ok()) << link.error().message;
    checkFigures(*link, profile.name);
  }
  for (const BuiltInProfile& profile : builtInDevices()) {
    auto device = findDeviceModel(std::string(profile.name));
    ASSERT_TRUE(device.ok()) << device.error().message;
    checkFigures(*device, profile.name);
    EXPECT_TRUE(device->compute_power.has_value());
  }
}

TEST(Profiles, AUsersLinkReads) {
  auto link = parseLinkModel(kLink, "F");
  ASSERT_TRUE(link.ok()) << link.error().message;
  EXPECT_EQ(link->name, "mine");
  EXPECT_EQ(link->payload, 100);
  EXPECT_EQ(link->overhead, 10);
  EXPECT_EQ(link->up.value(), 1e6);
  EXPECT_EQ(link->down.value(), 2e6);
  EXPECT_DOUBLE_EQ(link->setup.value(), 3e-3);
  EXPECT_DOUBLE_EQ(link->receive_power.value(), 0.05);
  ASSERT_EQ(link->figures.size(), 7u);
  EXPECT_EQ(link->figures[1].key, "packet.overhead_bytes");
  EXPECT_EQ(link->figures[1].ground, Ground::published);
  EXPECT_EQ(link->figures[1].source, "a page");
  EXPECT_EQ(link->figures[0].ground, Ground::assumed);
}

TEST(Profiles, IntegersThatADoubleRoundsAreNumbersToo) {
  auto link = parseLinkModel(replaced(kLink, "2000000", "999999999999999999"), "F");
  ASSERT_TRUE(link.ok()) << link.error().message;
  EXPECT_EQ(link->down.value(), 1e18);
}

TEST(Profiles, MistakesInALinkAreNamedByLineAndKey) {
  EXPECT_EQ(linkError(replaced(kLink, "payload_bytes = 100", "payload_bytes = 0")),
            "F:3: packet.payload_bytes: expected a number from 1 to 1000000000 or { value, origin, "
            "source }");
  EXPECT_EQ(linkError(replaced(kLink, "value = 10", "value = \"10\"")),
            "F:4: packet.overhead_bytes.value: expected a number from 0 to 1000000");
  EXPECT_EQ(linkError(replaced(kLink, "\"published\"", "\"rumour\"")),
            "F:4: packet.overhead_bytes.origin: expected one of measured, published, derived, "
            "assumed");
  EXPECT_EQ(linkError(replaced(kLink, ", source = \"a page\"", "")),
            "F:4: packet.overhead_bytes.source is missing");
  EXPECT_EQ(linkError(replaced(kLink, "up_bit_s = 1e6", "up_bit_s = nan")),
            "F:6: rate.up_bit_s: expected a number from 1 to 1e+18 or { value, origin, source }");
  EXPECT_EQ(linkError(replaced(kLink, "up_bit_s = 1e6\n", "")), "F:5: rate.up_bit_s is missing");
  EXPECT_EQ(linkError(replaced(kLink, "setup_ms", "set_up_ms")),
            "F:9: message.set_up_ms is not a known key");
  EXPECT_EQ(linkError(replaced(kLink, "setup_ms = 3", "setup_ms = -1")),
            "F:9: message.setup_ms: expected a number from 0 to 1000000000 or { value, origin, "
            "source }");
  EXPECT_EQ(linkError("name = \"x\"\npacket = 3\n"), "F:2: packet: expected a table");
  EXPECT_EQ(linkError("name = \"x\"\n"), "F:1: packet is missing");
  EXPECT_EQ(linkError(""), "F:1: name is missing");
  EXPECT_TRUE(linkError("name = \"x\nrest").starts_with("F:1: "));
  EXPECT_EQ(linkError(std::string(2'000'000, ' ')),
            "F: 2000000 bytes; a profile has at most 1048576");
}

TEST(Profiles, MistakesInADeviceAreNamedByLineAndKey) {
  EXPECT_EQ(deviceError(kDevice), "");
  EXPECT_EQ(
      deviceError(replaced(kDevice, "[compute]\nmacs_per_s = 1e9\n", "")),
      "F:1: a device needs [compute] with rates, a [predictor], a [table] of layers, or several "
      "of them");
  EXPECT_EQ(deviceError(replaced(kDevice, "idle_w = 1\n", "")), "F:2: power.idle_w is missing");
  const std::string table =
      kDevice + "[table]\nnetwork = \"n\"\norigin = \"measured\"\nsource = \"s\"\nrows = [\n";
  EXPECT_EQ(deviceError(table + "{ names = [\"a\"], macs = 1, ms = 1 },\n]\n"), "");
  EXPECT_EQ(deviceError(table + "]\n"), "F:11: table.rows: expected a list of 1 to 10000 tables");
  EXPECT_EQ(deviceError(table + "{ names = [\"a\"], macs = 1, ms = 1 },\n"
                                "{ names = [\"b\"], macs = 1.5, ms = 1 },\n]\n"),
            "F:13: table.rows[1].macs: expected a whole number");
  EXPECT_EQ(deviceError(table + "{ names = [], macs = 1, ms = 1 },\n]\n"),
            "F:12: table.rows[0].names: expected a list of 1 to 64 names");
  EXPECT_EQ(deviceError(table + "{ names = [\"a\"], macs = 1 },\n]\n"),
            "F:12: table.rows[0].ms is missing");
  EXPECT_EQ(deviceError(table + "{ names = [\"a\"], macs = 1, ms = 1, mw = 2 },\n]\n"),
            "F:12: table.rows[0].mw is not a known key");
}

TEST(Profiles, AreFoundByNameFileOrRate) {
  auto folder = TemporaryDirectory::create();
  ASSERT_TRUE(folder.ok());
  const fs::path file = folder->path() / "mine.toml";
  ASSERT_TRUE(writeFileAtomically(file, asBytes(kLink)).ok());
  auto link = findLinkModel(file.string());
  ASSERT_TRUE(link.ok()) << link.error().message;
  EXPECT_EQ(link->name, "mine");
  auto device = findDeviceModel(file.string());
  ASSERT_FALSE(device.ok());
  EXPECT_EQ(device.error().message, file.string() + ":2: packet is not a known key");

  auto slow = findLinkModel("250 kbit/s");
  ASSERT_TRUE(slow.ok());
  EXPECT_EQ(slow->up.value(), 250e3);
  EXPECT_EQ(slow->down.value(), 250e3);
  EXPECT_EQ(slow->payload, findLinkModel("ethernet")->payload);
  for (const char* wrong : {"", "10", "-1Mbit/s", "10 Mbyte/s", "1e30Gbit/s", "nan bit/s"}) {
    auto none = findLinkModel(wrong);
    ASSERT_FALSE(none.ok()) << wrong;
    EXPECT_NE(none.error().message.find("known are ble4, "), std::string::npos);
  }
  EXPECT_FALSE(findLinkModel("/nowhere/mine.toml").ok());
  auto unknown = findDeviceModel("abacus");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().message,
            "\"abacus\" is not a device; known are gpu-server, ncs2, raspberry-pi4, or FILE.toml");
}

}  // namespace
}  // namespace narrows
