#include "narrows/cost/device_group.h"

#include <fmt/format.h>

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "narrows/base/file.h"
#include "narrows/cost/profiles.h"

namespace narrows {
namespace {

constexpr std::size_t kMaxFile = std::size_t{1} << 20;

class GroupReader {
 public:
  explicit GroupReader(std::string_view origin) : origin_(origin) {}

  Result<DeviceGroup> read(const toml::table& table) {
    NARROWS_CHECK(onlyKeys(table, {"medium", "link", "source", "sink", "device"}));
    NARROWS_CHECK(readMedium(table));
    NARROWS_TRY(link, textOr(table, "link", "100Mbit/s"));
    default_link_ = link;
    const toml::node* entries = table.get("device");
    const toml::array* list = entries == nullptr ? nullptr : entries->as_array();
    if (list == nullptr || list->empty() || !list->is_homogeneous(toml::node_type::table)) {
      return makeError("{}: device: expected one or more [[device]] tables", origin_);
    }
    for (const toml::node& entry : *list) NARROWS_CHECK(readDevice(*entry.as_table()));
    NARROWS_TRY(source, textOr(table, "source", group_.devices.front().name));
    NARROWS_TRY(sink, textOr(table, "sink", source));
    NARROWS_TRY(source_index, indexOf(source, "source"));
    NARROWS_TRY(sink_index, indexOf(sink, "sink"));
    group_.source = source_index;
    group_.sink = sink_index;
    return std::move(group_);
  }

 private:
  template <class Node>
  Error wrong(const Node& node, std::string_view key, std::string_view expected) const {
    return makeError("{}:{}: {}: expected {}", origin_, node.source().begin.line, key, expected);
  }

  Status onlyKeys(const toml::table& table, std::initializer_list<std::string_view> known) const {
    for (const auto& [key, value] : table) {
      if (std::find(known.begin(), known.end(), key.str()) != known.end()) continue;
      return makeError("{}:{}: unknown key \"{}\"; known are {}", origin_, key.source().begin.line,
                       key.str(), fmt::join(known, ", "));
    }
    return {};
  }

  Result<std::string> textOr(const toml::table& table, std::string_view key,
                             const std::string& otherwise) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) return otherwise;
    const auto text = node->value_exact<std::string>();
    if (!text || text->empty() || text->size() > 1000) {
      return wrong(*node, key, "a string of 1 to 1000 bytes");
    }
    return *text;
  }

  Status readMedium(const toml::table& table) {
    NARROWS_TRY(medium, textOr(table, "medium", "switched"));
    if (medium != "switched" && medium != "shared") {
      return wrong(*table.get("medium"), "medium", "\"switched\" or \"shared\"");
    }
    group_.medium = medium == "shared" ? GroupMedium::shared : GroupMedium::switched;
    return {};
  }

  Status readDevice(const toml::table& table) {
    NARROWS_CHECK(onlyKeys(table, {"name", "profile", "speed", "memory", "link", "count"}));
    NARROWS_TRY(name, textOr(table, "name", fmt::format("device{}", group_.devices.size() + 1)));
    NARROWS_TRY(profile, textOr(table, "profile", "raspberry-pi4"));
    NARROWS_TRY(link, textOr(table, "link", default_link_));
    const std::string place = fmt::format("{}:{}", origin_, table.source().begin.line);
    GroupDevice device;
    NARROWS_TRY(model, findDeviceModel(profile).within(place));
    NARROWS_TRY(link_model, findLinkModel(link).within(place));
    device.model = std::move(model);
    device.link = std::move(link_model);
    device.memory = device.model.memory;
    NARROWS_CHECK(applySpeed(table, device));
    NARROWS_CHECK(applyMemory(table, device));
    std::int64_t count = 1;
    if (const toml::node* node = table.get("count")) {
      const auto value = node->value_exact<std::int64_t>();
      if (!value || *value < 1 || *value > static_cast<std::int64_t>(kMostGroupDevices)) {
        return wrong(*node, "count", fmt::format("1 to {}", kMostGroupDevices));
      }
      count = *value;
    }
    for (std::int64_t i = 1; i <= count; ++i) {
      device.name = count == 1 ? name : fmt::format("{}{}", name, i);
      NARROWS_CHECK(addDevice(device, table));
    }
    return {};
  }

  Status addDevice(const GroupDevice& device, const toml::table& table) {
    const bool taken =
        std::any_of(group_.devices.begin(), group_.devices.end(),
                    [&](const GroupDevice& other) { return other.name == device.name; });
    if (taken) return wrong(table, "name", fmt::format("a new name, \"{}\" is taken", device.name));
    if (group_.devices.size() == kMostGroupDevices) {
      return makeError("{}: more than {} devices", origin_, kMostGroupDevices);
    }
    group_.devices.push_back(device);
    return {};
  }

  Status applySpeed(const toml::table& table, GroupDevice& device) const {
    const toml::node* node = table.get("speed");
    if (node == nullptr) return {};
    const auto speed = node->value<double>();
    if (!speed || !(*speed >= 1e-3) || !(*speed <= 1e3)) {
      return wrong(*node, "speed", "a number from 0.001 to 1000");
    }
    speedUp(device.model, *speed);
    return {};
  }

  Status applyMemory(const toml::table& table, GroupDevice& device) const {
    const toml::node* node = table.get("memory");
    if (node == nullptr) return {};
    const auto text = node->value_exact<std::string>();
    if (text && *text == "none") {
      device.memory.reset();
      return {};
    }
    const double bytes = text ? parseByteCount(*text) : node->value<double>().value_or(0);
    if (!(bytes >= 1)) return wrong(*node, "memory", "a size such as \"512MB\", or \"none\"");
    device.memory = bytes;
    return {};
  }

  Result<std::size_t> indexOf(const std::string& name, std::string_view key) const {
    for (std::size_t d = 0; d < group_.devices.size(); ++d) {
      if (group_.devices[d].name == name) return d;
    }
    return makeError("{}: {}: there is no device \"{}\"", origin_, key, name);
  }

  std::string_view origin_;
  std::string default_link_;
  DeviceGroup group_;
};

}  // namespace

double parseByteCount(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || !std::isfinite(value)) return 0;
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  const double factor = unit.empty() || unit == "B" ? 1
                        : unit == "kB"              ? 1e3
                        : unit == "MB"              ? 1e6
                        : unit == "GB"              ? 1e9
                        : unit == "KiB"             ? 1024.0
                        : unit == "MiB"             ? 1048576.0
                        : unit == "GiB"             ? 1073741824.0
                                                    : 0;
  const double bytes = value * factor;
  return bytes >= 1 && bytes <= 1e15 ? bytes : 0;
}

Result<DeviceGroup> parseDeviceGroup(std::string_view toml, std::string_view origin) {
  if (toml.size() > kMaxFile) return makeError("{}: more than {} bytes", origin, kMaxFile);
  try {
    const toml::table table = toml::parse(toml);
    return GroupReader(origin).read(table);
  } catch (const toml::parse_error& error) {
    return makeError("{}:{}: {}", origin, error.source().begin.line, error.description());
  }
}

Result<DeviceGroup> readDeviceGroup(const std::string& path) {
  NARROWS_TRY(text, readTextFile(path, kMaxFile));
  return parseDeviceGroup(text, path);
}

}  // namespace narrows
