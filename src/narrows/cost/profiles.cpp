#include "narrows/cost/profiles.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "narrows/base/file.h"

namespace narrows {
namespace {

constexpr std::size_t kMaxFile = std::size_t{1} << 20;

const BuiltInProfile* find(std::span<const BuiltInProfile> profiles, std::string_view name) {
  for (const BuiltInProfile& profile : profiles) {
    if (profile.name == name) return &profile;
  }
  return nullptr;
}

std::string names(std::span<const BuiltInProfile> profiles) {
  std::string text;
  for (const BuiltInProfile& profile : profiles) text.append(profile.name).append(", ");
  return text;
}

/// Bits a second, or 0 for what is no rate.
double parseRate(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return 0;
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  const double factor = unit == "bit/s"    ? 1
                        : unit == "kbit/s" ? 1e3
                        : unit == "Mbit/s" ? 1e6
                        : unit == "Gbit/s" ? 1e9
                                           : 0;
  const double rate = value * factor;
  // Slower than one bit a second or faster than any link is a typing error.
  return rate >= 1 && rate <= 1e13 ? rate : 0;
}

Result<LinkModel> ethernetAt(double rate, const std::string& name) {
  const BuiltInProfile* ethernet = find(builtInLinks(), "ethernet");
  NARROWS_ASSERT(ethernet != nullptr);
  NARROWS_TRY(link, parseLinkModel(ethernet->text, ethernet->name));
  link.name = name;
  link.summary = "Ethernet at " + name;
  link.up = link.down = BitsPerSecond(rate);
  for (ProfileFigure& figure : link.figures) {
    if (!figure.key.starts_with("rate.")) continue;
    figure.value = rate;
    figure.ground = Ground::assumed;
    figure.source = "as asked for";
  }
  return std::move(link);
}

}  // namespace

Result<LinkModel> findLinkModel(const std::string& text) {
  if (const BuiltInProfile* profile = find(builtInLinks(), text))
    return parseLinkModel(profile->text, profile->name);
  if (text.ends_with(".toml")) {
    NARROWS_TRY(content, readTextFile(text, kMaxFile));
    return parseLinkModel(content, text);
  }
  if (const double rate = parseRate(text); rate > 0) return ethernetAt(rate, text);
  return makeError("\"{}\" is not a link; known are {}a rate such as 10Mbit/s, or FILE.toml", text,
                   names(builtInLinks()));
}

Result<DeviceModel> findDeviceModel(const std::string& text) {
  if (const BuiltInProfile* profile = find(builtInDevices(), text))
    return parseDeviceModel(profile->text, profile->name);
  if (text.ends_with(".toml")) {
    NARROWS_TRY(content, readTextFile(text, kMaxFile));
    return parseDeviceModel(content, text);
  }
  return makeError("\"{}\" is not a device; known are {}or FILE.toml", text,
                   names(builtInDevices()));
}

}  // namespace narrows
