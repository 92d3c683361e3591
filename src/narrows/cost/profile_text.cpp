#include <fmt/format.h>

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include <array>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "narrows/cost/device_model.h"
#include "narrows/cost/link_model.h"

namespace narrows {
namespace {

constexpr std::size_t kMaxText = std::size_t{1} << 20;
constexpr std::size_t kMaxString = 1000;
constexpr std::size_t kMaxRows = 10'000;
constexpr std::size_t kMaxNames = 64;

constexpr std::array<std::pair<std::string_view, Ground>, 4> kGrounds = {
    {{"measured", Ground::measured},
     {"published", Ground::published},
     {"derived", Ground::derived},
     {"assumed", Ground::assumed}}};

struct Limits {
  double least = 0;
  double most = 0;
};
constexpr Limits kTime{0, 1e9};
constexpr Limits kPower{0, 1e9};
constexpr Limits kEnergy{0, 1e12};
/// Slower than one a second or faster than any machine is a typing error.
constexpr Limits kRate{1, 1e18};

enum class Need : std::uint8_t { required, optional };

/// One table of a profile. Remembers which keys were asked for, so that the others are unknown.
class Section {
 public:
  Section(const toml::table& table, std::string_view origin, std::string prefix)
      : table_(&table), origin_(origin), prefix_(std::move(prefix)) {}

  bool has(std::string_view key) {
    known_.emplace(key);
    return table_->contains(key);
  }
  Error missing(std::string_view key) const {
    return makeError("{}:{}: {}{} is missing", origin_, table_->source().begin.line, prefix_, key);
  }
  Error wrong(std::string_view key, std::string_view expected) const {
    return wrongAt(*table_->get(key), key, expected);
  }

  /// The table `key`, or nothing when it is absent and not needed.
  Result<std::optional<Section>> section(std::string_view key, Need need) {
    if (!has(key)) {
      if (need == Need::required) return missing(key);
      return std::optional<Section>();
    }
    const toml::table* inner = table_->get(key)->as_table();
    if (inner == nullptr) return wrong(key, "a table");
    return std::optional(Section(*inner, origin_, fmt::format("{}{}.", prefix_, key)));
  }

  Status text(std::string_view key, std::string& target, Need need = Need::required) {
    if (!has(key)) return need == Need::required ? Status(missing(key)) : Status();
    const auto value = table_->get(key)->value_exact<std::string>();
    if (!value || value->empty() || value->size() > kMaxString)
      return wrong(key, fmt::format("a string of 1 to {} bytes", kMaxString));
    target = *value;
    return {};
  }
  Status ground(std::string_view key, Ground& target) {
    std::string name;
    NARROWS_CHECK(text(key, name));
    for (const auto& [known, value] : kGrounds) {
      if (known != name) continue;
      target = value;
      return {};
    }
    return wrong(key, "one of measured, published, derived, assumed");
  }
  Status number(std::string_view key, Limits limits, double& target) {
    if (!has(key)) return missing(key);
    const auto value = plainNumber(*table_->get(key), limits);
    if (!value) return wrong(key, numberText(limits));
    target = *value;
    return {};
  }

  /// A number, or { value, origin, source }; a number alone counts as assumed. It is noted in
  /// `figures`. False when it is absent.
  Result<bool> figure(std::string_view key, std::string_view unit, Limits limits, Need need,
                      double& target, std::vector<ProfileFigure>& figures) {
    if (!has(key)) {
      if (need == Need::required) return missing(key);
      return false;
    }
    ProfileFigure figure{prefix_ + std::string(key), 0, std::string(unit), Ground::assumed,
                         "stated without a source"};
    const toml::node& node = *table_->get(key);
    if (const toml::table* inner = node.as_table()) {
      Section details(*inner, origin_, fmt::format("{}{}.", prefix_, key));
      NARROWS_CHECK(details.number("value", limits, figure.value));
      NARROWS_CHECK(details.ground("origin", figure.ground));
      NARROWS_CHECK(details.text("source", figure.source));
      NARROWS_CHECK(details.finish());
    } else {
      const auto value = plainNumber(node, limits);
      if (!value) return wrong(key, numberText(limits) + " or { value, origin, source }");
      figure.value = *value;
    }
    target = figure.value;
    figures.push_back(std::move(figure));
    return true;
  }

  /// The entries of a list of tables, each as a section that names its index.
  Result<std::vector<Section>> sections(std::string_view key) {
    if (!has(key)) return missing(key);
    const toml::array* list = table_->get(key)->as_array();
    if (list == nullptr || list->empty() || list->size() > kMaxRows)
      return wrong(key, fmt::format("a list of 1 to {} tables", kMaxRows));
    std::vector<Section> entries;
    for (const toml::node& entry : *list) {
      const toml::table* inner = entry.as_table();
      if (inner == nullptr) return wrongAt(entry, key, "a list of tables");
      entries.emplace_back(*inner, origin_, fmt::format("{}{}[{}].", prefix_, key, entries.size()));
    }
    return entries;
  }
  Status names(std::string_view key, std::vector<std::string>& target) {
    if (!has(key)) return missing(key);
    const std::string expected = fmt::format("a list of 1 to {} names", kMaxNames);
    const toml::array* list = table_->get(key)->as_array();
    if (list == nullptr || list->empty() || list->size() > kMaxNames) return wrong(key, expected);
    for (const toml::node& entry : *list) {
      const auto value = entry.value_exact<std::string>();
      if (!value || value->empty() || value->size() > kMaxString)
        return wrongAt(entry, key, expected);
      target.push_back(*value);
    }
    return {};
  }

  /// An error for the first key, by line, that nothing asked for.
  Status finish() const {
    const toml::key* first = nullptr;
    for (const auto& [key, node] : *table_) {
      if (known_.contains(key.str())) continue;
      if (first == nullptr || key.source().begin.line < first->source().begin.line) first = &key;
    }
    if (first == nullptr) return {};
    return makeError("{}:{}: {}{} is not a known key", origin_, first->source().begin.line, prefix_,
                     first->str());
  }

 private:
  Error wrongAt(const toml::node& node, std::string_view key, std::string_view expected) const {
    return makeError("{}:{}: {}{}: expected {}", origin_, node.source().begin.line, prefix_, key,
                     expected);
  }
  static std::optional<double> plainNumber(const toml::node& node, Limits limits) {
    double value = 0;
    if (const auto integer = node.value_exact<std::int64_t>()) {
      value = static_cast<double>(*integer);
    } else if (const auto real = node.value_exact<double>()) {
      value = *real;
    } else {
      return std::nullopt;
    }
    if (!(value >= limits.least && value <= limits.most)) return std::nullopt;
    return value;
  }
  static std::string numberText(Limits limits) {
    return fmt::format("a number from {} to {}", limits.least, limits.most);
  }

  const toml::table* table_;
  std::string_view origin_;
  std::string prefix_;
  std::set<std::string, std::less<>> known_;
};

/// Reads figures of one table into typed quantities; `scale` is what the key's unit is in SI units.
class FigureReader {
 public:
  FigureReader(Section& section, std::vector<ProfileFigure>& figures)
      : section_(section), figures_(figures) {}

  template <class T>
  Result<bool> read(std::string_view key, std::string_view unit, Limits limits, double scale,
                    T& target, Need need = Need::optional) {
    double value = 0;
    NARROWS_TRY(found, section_.figure(key, unit, limits, need, value, figures_));
    if (found) target = T(value * scale);
    return found;
  }

 private:
  Section& section_;
  std::vector<ProfileFigure>& figures_;
};

constexpr double kMicro = 1e-6;
constexpr double kMilli = 1e-3;
constexpr double kNano = 1e-9;

Status readPacket(Section section, LinkModel& link) {
  FigureReader figures(section, link.figures);
  NARROWS_CHECK(figures.read("payload_bytes", "B", {1, 1e9}, 1, link.payload, Need::required));
  NARROWS_CHECK(figures.read("overhead_bytes", "B", {0, 1e6}, 1, link.overhead, Need::required));
  NARROWS_CHECK(figures.read("contention_us", "us", kTime, kMicro, link.contention));
  NARROWS_CHECK(figures.read("turn_around_us", "us", kTime, kMicro, link.turn_around));
  NARROWS_CHECK(figures.read("reply_us", "us", kTime, kMicro, link.reply));
  return section.finish();
}

Status readRate(Section section, LinkModel& link) {
  FigureReader figures(section, link.figures);
  NARROWS_CHECK(figures.read("up_bit_s", "bit/s", kRate, 1, link.up, Need::required));
  NARROWS_CHECK(figures.read("down_bit_s", "bit/s", kRate, 1, link.down, Need::required));
  return section.finish();
}

Status readMessage(Section section, LinkModel& link) {
  FigureReader figures(section, link.figures);
  NARROWS_CHECK(figures.read("setup_ms", "ms", kTime, kMilli, link.setup));
  NARROWS_CHECK(figures.read("tail_ms", "ms", kTime, kMilli, link.tail));
  return section.finish();
}

Status readLinkPower(Section section, LinkModel& link) {
  FigureReader figures(section, link.figures);
  NARROWS_CHECK(
      figures.read("transmit_mw", "mW", kPower, kMilli, link.transmit_power, Need::required));
  NARROWS_CHECK(
      figures.read("receive_mw", "mW", kPower, kMilli, link.receive_power, Need::required));
  NARROWS_CHECK(figures.read("idle_mw", "mW", kPower, kMilli, link.idle_power));
  NARROWS_CHECK(figures.read("setup_mw", "mW", kPower, kMilli, link.setup_power));
  NARROWS_CHECK(figures.read("wait_mw", "mW", kPower, kMilli, link.wait_power));
  NARROWS_CHECK(figures.read("tail_mw", "mW", kPower, kMilli, link.tail_power));
  return section.finish();
}

Result<LinkModel> readLink(const toml::table& root, std::string_view origin) {
  LinkModel link;
  Section section(root, origin, "");
  NARROWS_CHECK(section.text("name", link.name));
  NARROWS_CHECK(section.text("summary", link.summary, Need::optional));
  NARROWS_TRY(packet, section.section("packet", Need::required));
  NARROWS_TRY(rate, section.section("rate", Need::required));
  NARROWS_TRY(message, section.section("message", Need::optional));
  NARROWS_TRY(power, section.section("power", Need::required));
  NARROWS_CHECK(section.finish());
  NARROWS_CHECK(readPacket(*packet, link));
  NARROWS_CHECK(readRate(*rate, link));
  if (message) NARROWS_CHECK(readMessage(*message, link));
  NARROWS_CHECK(readLinkPower(*power, link));
  return link;
}

Status readDevicePower(Section section, DeviceModel& device) {
  FigureReader figures(section, device.figures);
  NARROWS_CHECK(figures.read("compute_w", "W", kPower, 1, device.compute_power, Need::required));
  NARROWS_CHECK(figures.read("idle_w", "W", kPower, 1, device.idle_power, Need::required));
  return section.finish();
}

Status readStart(Section section, DeviceModel& device) {
  FigureReader figures(section, device.figures);
  NARROWS_CHECK(figures.read("ms", "ms", kTime, kMilli, device.start_time, Need::required));
  NARROWS_CHECK(figures.read("mj", "mJ", kEnergy, kMilli, device.start_energy));
  return section.finish();
}

Status readExchange(Section section, DeviceModel& device) {
  FigureReader figures(section, device.figures);
  NARROWS_CHECK(figures.read("ms", "ms", kTime, kMilli, device.exchange.time, Need::required));
  NARROWS_CHECK(figures.read("ns_per_byte", "ns/B", kTime, kNano, device.exchange.per_byte));
  return section.finish();
}

Status readTiming(Section section, DeviceModel& device) {
  constexpr Limits kPercent{0, 1e6};
  constexpr double kOfPercent = 0.01;
  FigureReader figures(section, device.figures);
  TimingFigures timing;
  NARROWS_CHECK(figures.read("rest_ms", "ms", kTime, kMilli, timing.rest, Need::required));
  NARROWS_CHECK(figures.read("spread_percent", "%", kPercent, kOfPercent, timing.spread));
  NARROWS_CHECK(figures.read("at_once_percent", "%", kPercent, kOfPercent, timing.at_once));
  device.timing = timing;
  return section.finish();
}

Status readRates(Section section, DeviceModel& device) {
  FigureReader figures(section, device.figures);
  ComputeRates rates;
  NARROWS_CHECK(figures.read("macs_per_s", "MAC/s", kRate, 1, rates.macs_per_s, Need::required));
  NARROWS_CHECK(figures.read("bytes_per_s", "B/s", kRate, 1, rates.bytes_per_s));
  NARROWS_CHECK(figures.read("op_us", "us", kTime, kMicro, rates.op));
  device.rates = rates;
  return section.finish();
}

Result<LayerFigure> readRow(Section section) {
  LayerFigure row;
  NARROWS_CHECK(section.names("names", row.names));
  double macs = 0;
  // Up to here doubles hold every integer.
  NARROWS_CHECK(section.number("macs", {0, 9e15}, macs));
  if (macs != std::floor(macs)) return section.wrong("macs", "a whole number");
  row.macs = static_cast<std::int64_t>(macs);
  double ms = 0;
  NARROWS_CHECK(section.number("ms", kTime, ms));
  row.time = milliseconds(ms);
  if (section.has("mj")) {
    double mj = 0;
    NARROWS_CHECK(section.number("mj", kEnergy, mj));
    row.energy = Joules(mj * kMilli);
  }
  NARROWS_CHECK(section.finish());
  return row;
}

/// Nanoseconds for one unit of a term.
constexpr Limits kPrice{0, 1e12};

Status readPredictor(Section section, DeviceModel& device) {
  TimePredictor predictor;
  NARROWS_CHECK(section.text("source", predictor.source));
  if (section.has("error_percent")) {
    double error = 0;
    NARROWS_CHECK(section.number("error_percent", {0, 1e6}, error));
    predictor.error_percent = error;
  }
  NARROWS_TRY(prices, section.section("ns", Need::required));
  NARROWS_CHECK(section.finish());
  for (std::size_t i = 0; i < kTerms; ++i) {
    const std::string_view name = toString(static_cast<Term>(i));
    if (prices->has(name))
      NARROWS_CHECK(prices->number(name, kPrice, predictor.nanoseconds.values()[i]));
  }
  NARROWS_CHECK(prices->finish());
  device.predictor = std::move(predictor);
  return {};
}

Status readTable(Section section, DeviceModel& device) {
  LayerTable table;
  NARROWS_CHECK(section.text("network", table.network));
  NARROWS_CHECK(section.ground("origin", table.ground));
  NARROWS_CHECK(section.text("source", table.source));
  NARROWS_TRY(rows, section.sections("rows"));
  NARROWS_CHECK(section.finish());
  for (const Section& entry : rows) {
    NARROWS_TRY(row, readRow(entry));
    table.rows.push_back(std::move(row));
  }
  device.tables.push_back(std::move(table));
  return {};
}

Result<DeviceModel> readDevice(const toml::table& root, std::string_view origin) {
  DeviceModel device;
  Section section(root, origin, "");
  NARROWS_CHECK(section.text("name", device.name));
  NARROWS_CHECK(section.text("summary", device.summary, Need::optional));
  NARROWS_TRY(power, section.section("power", Need::optional));
  NARROWS_TRY(start, section.section("start", Need::optional));
  NARROWS_TRY(compute, section.section("compute", Need::optional));
  NARROWS_TRY(coding, section.section("coding", Need::optional));
  NARROWS_TRY(exchange, section.section("exchange", Need::optional));
  NARROWS_TRY(timing, section.section("timing", Need::optional));
  NARROWS_TRY(memory, section.section("memory", Need::optional));
  NARROWS_TRY(table, section.section("table", Need::optional));
  NARROWS_TRY(predictor, section.section("predictor", Need::optional));
  std::vector<Section> tables;
  if (section.has("tables")) {
    NARROWS_TRY(several, section.sections("tables"));
    tables = std::move(several);
  }
  NARROWS_CHECK(section.finish());
  if (power) NARROWS_CHECK(readDevicePower(*power, device));
  if (start) NARROWS_CHECK(readStart(*start, device));
  if (compute) NARROWS_CHECK(readRates(*compute, device));
  if (coding) {
    FigureReader figures(*coding, device.figures);
    NARROWS_CHECK(
        figures.read("slowdown", "times", {1e-6, 1e6}, 1, device.coding_slowdown, Need::required));
    NARROWS_CHECK(coding->finish());
  }
  if (exchange) NARROWS_CHECK(readExchange(*exchange, device));
  if (timing) NARROWS_CHECK(readTiming(*timing, device));
  if (memory) {
    FigureReader figures(*memory, device.figures);
    NARROWS_CHECK(figures.read("bytes", "B", {1, 1e18}, 1, device.memory, Need::required));
    NARROWS_CHECK(memory->finish());
  }
  if (table) NARROWS_CHECK(readTable(*table, device));
  for (const Section& entry : tables) NARROWS_CHECK(readTable(entry, device));
  if (predictor) NARROWS_CHECK(readPredictor(*predictor, device));
  if (!device.rates && !device.predictor && device.tables.empty())
    return makeError(
        "{}:1: a device needs [compute] with rates, a [predictor], a [table] of layers, or "
        "several of them",
        origin);
  return device;
}

template <class T>
Result<T> parse(std::string_view text, std::string_view origin,
                Result<T> (*read)(const toml::table&, std::string_view)) {
  if (text.size() > kMaxText)
    return makeError("{}: {} bytes; a profile has at most {}", origin, text.size(), kMaxText);
  try {
    return read(toml::parse(text), origin);
  } catch (const toml::parse_error& error) {
    return makeError("{}:{}: {}", origin, error.source().begin.line, error.description());
  }
}

}  // namespace

std::string_view toString(Ground ground) {
  for (const auto& [name, value] : kGrounds) {
    if (value == ground) return name;
  }
  NARROWS_ASSERT(false);
  return {};
}

Result<LinkModel> parseLinkModel(std::string_view toml, std::string_view origin) {
  return parse(toml, origin, readLink);
}

Result<DeviceModel> parseDeviceModel(std::string_view toml, std::string_view origin) {
  return parse(toml, origin, readDevice);
}

}  // namespace narrows
