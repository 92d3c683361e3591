#include "narrows/cli/profiles.h"

#include <fmt/format.h>

#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/output_options.h"
#include "narrows/cli/table.h"
#include "narrows/cost/profiles.h"

namespace narrows {
namespace {

struct ProfilesOptions {
  std::string name;
  bool toml = false;
  OutputOptions output;
};

std::string rateText(double bits_per_second) {
  return bits_per_second >= 1e6 ? fmt::format("{:.3g} Mbit/s", bits_per_second / 1e6)
                                : fmt::format("{:.3g} kbit/s", bits_per_second / 1e3);
}

Status list(OutputFormat format) {
  Table table({{"kind", "kind"}, {"name", "name"}, {"summary", "summary"}, {"speed", "speed"}});
  for (const BuiltInProfile& profile : builtInLinks()) {
    NARROWS_TRY(link, parseLinkModel(profile.text, profile.name));
    table.add({std::string("link"), link.name, link.summary,
               fmt::format("{} up with full packets (modelled)",
                           rateText(payloadRate(link, LinkWay::up).value()))});
  }
  for (const BuiltInProfile& profile : builtInDevices()) {
    NARROWS_TRY(device, parseDeviceModel(profile.text, profile.name));
    std::string speed;
    if (device.rates)
      speed = fmt::format("{:.3g} GMAC/s (modelled)", device.rates->macs_per_s / 1e9);
    for (const LayerTable& layers : device.tables)
      speed += fmt::format("{}layers of {}", speed.empty() ? "" : ", ", layers.network);
    table.add({std::string("device"), device.name, device.summary, speed});
  }
  fmt::print("{}", table.text(format));
  if (format == OutputFormat::terminal)
    fmt::print(
        "\nnarrows profiles NAME lists the figures and their sources; --toml prints the "
        "file, to start one of your own.\n");
  return {};
}

void addFigures(Table& table, const std::vector<ProfileFigure>& figures) {
  for (const ProfileFigure& figure : figures) {
    table.add({figure.key, figure.value, figure.unit, std::string(toString(figure.ground)),
               figure.source});
  }
}

void addRows(Table& table, const LayerTable& layers) {
  for (const LayerFigure& row : layers.rows) {
    const auto add = [&](std::string_view what, double value, std::string_view unit) {
      table.add({fmt::format("table.{}.{}", row.names.front(), what), value, std::string(unit),
                 std::string(toString(layers.ground)), layers.source});
    };
    add("ms", toMilliseconds(row.time), "ms");
    if (row.energy) add("mj", row.energy->value() * 1e3, "mJ");
  }
}

void addPrices(Table& table, const TimePredictor& predictor) {
  for (std::size_t i = 0; i < kTerms; ++i) {
    table.add({fmt::format("predictor.ns.{}", toString(static_cast<Term>(i))),
               predictor.nanoseconds.values()[i], std::string("ns"), std::string("derived"),
               predictor.source});
  }
}

/// Figures of a link or device, built in or a file.
Status show(const std::string& name, OutputFormat format) {
  Table table({{"key", "figure"},
               {"value", "value", 4},
               {"unit", "unit"},
               {"origin", "origin"},
               {"source", "source"}});
  auto link = findLinkModel(name);
  if (link.ok()) {
    addFigures(table, link->figures);
  } else {
    auto device = findDeviceModel(name);
    // Of a file that is neither, the reason that fits it cannot be told: show both.
    if (!device.ok() && name.ends_with(".toml")) {
      return makeError("{} (as a link), {} (as a device)", link.error().message,
                       device.error().message);
    }
    if (!device.ok()) {
      return makeError(
          "\"{}\" is no built-in profile (narrows profiles lists them), rate or "
          "FILE.toml",
          name);
    }
    addFigures(table, device->figures);
    for (const LayerTable& layers : device->tables) addRows(table, layers);
    if (device->predictor) addPrices(table, *device->predictor);
  }
  fmt::print("{}", table.text(format));
  return {};
}

Status printToml(const std::string& name) {
  for (const auto& profiles : {builtInLinks(), builtInDevices()}) {
    for (const BuiltInProfile& profile : profiles) {
      if (profile.name != name) continue;
      fmt::print("{}", profile.text);
      return {};
    }
  }
  return makeError("--toml: \"{}\" is no built-in profile; narrows profiles lists them", name);
}

}  // namespace

int runProfiles(std::span<const std::string> arguments) {
  Arguments parser("profiles", "List links and devices, or the figures of one with their sources.",
                   "narrows profiles\n  narrows profiles ble5\n  narrows profiles raspberry-pi4 "
                   "--toml > MY-BOARD.toml");
  ProfilesOptions options;
  CLI::App& app = parser.app();
  CLI::Option* name =
      app.add_option("name", options.name, "A built-in profile, FILE.toml or a rate");
  app.add_flag("--toml", options.toml, "Print the profile's file")->needs(name);
  addOutputOptions(app, options.output);
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run)
    return Arguments::exitCode(outcome);
  const OutputFormat format = options.output.format();
  const Status status = options.toml           ? printToml(options.name)
                        : options.name.empty() ? list(format)
                                               : show(options.name, format);
  if (!status.ok()) return reportFailure("profiles", status.error());
  return kExitOk;
}

}  // namespace narrows
