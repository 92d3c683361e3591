#include "narrows/cli/profile.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "narrows/base/file.h"
#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/engine_option.h"
#include "narrows/cli/exchange_timer.h"
#include "narrows/cli/host_profile.h"
#include "narrows/cli/model_source.h"
#include "narrows/cli/output_options.h"
#include "narrows/cli/progress.h"
#include "narrows/cost/profile_writer.h"

namespace narrows {
namespace {

struct ProfileCommand {
  std::vector<std::string> models;
  std::string engine{defaultEngineName()};
  std::string dtype = "f32";
  std::string output;
  std::size_t exchanges = 60;
  double rest_ms = toMilliseconds(HostProfileOptions().rest);
  HostProfileOptions host;
  OutputOptions format;
};

double errorPercent(const MeasuredPiece& piece) {
  return 100 * (*piece.predicted / piece.measured - 1);
}

Table tableOf(const HostProfile& profile) {
  Table table({{"network", "network"},
               {"piece", "piece"},
               {"cut", "cut"},
               {"mmacs", "MMAC", 1},
               {"measured_ms", "measured ms", 3},
               {"predicted_ms", "predicted ms", 3},
               {"error_percent", "error %", 1}});
  for (const MeasuredNetwork& network : profile.networks) {
    for (const MeasuredPiece& piece : network.pieces) {
      Cell predicted;
      Cell error;
      if (piece.predicted) {
        predicted = toMilliseconds(*piece.predicted);
        error = errorPercent(piece);
      }
      table.add({network.name, piece.side, piece.cut.empty() ? Cell() : Cell(piece.cut),
                 static_cast<double>(piece.macs) / 1e6, toMilliseconds(piece.measured), predicted,
                 error});
    }
  }
  return table;
}

void print(const ProfileCommand& command, const HostProfile& profile) {
  const Table table = tableOf(profile);
  const std::optional<double>& error = profile.device.predictor->error_percent;
  if (command.format.json) {
    nlohmann::ordered_json document;
    document["name"] = profile.device.name;
    document["summary"] = profile.device.summary;
    document["runs"] = command.host.runs;
    document["rest_ms"] = command.rest_ms;
    document["spread_percent"] = 100 * profile.device.timing->spread;
    document["at_once_percent"] = 100 * profile.device.timing->at_once;
    document["seed"] = command.host.seed;
    document["median_error_percent"] = nullptr;
    if (error) document["median_error_percent"] = *error;
    document["exchange_ms"] = toMilliseconds(profile.device.exchange.time);
    document["exchange_ns_per_byte"] = profile.device.exchange.per_byte.value() * 1e9;
    document["pieces"] = nlohmann::ordered_json::parse(table.json());
    fmt::print("{}\n",
               document.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
    return;
  }
  fmt::print("{}", table.text(command.format.format()));
  if (command.format.csv) return;
  if (command.exchanges > 0) {
    const ExchangeRates& exchange = profile.device.exchange;
    fmt::print("\nA message and its answer: {:.3f} ms and {:.2f} ns a byte for each side.\n",
               toMilliseconds(exchange.time), exchange.per_byte.value() * 1e9);
  }
  const TimingFigures& timing = *profile.device.timing;
  fmt::print(
      "\n{} (measured here, median of {} runs after {:g} ms of rest each{}, inputs drawn with seed "
      "{}).\nFirst to last decile of a piece: +-{:.1f} %. At once again it takes {:.0f} %.\n",
      profile.device.summary, command.host.runs, command.rest_ms,
      command.host.threads == 1 ? ", processor time" : "", command.host.seed, 100 * timing.spread,
      100 * timing.at_once);
  if (error) {
    fmt::print("Predicted: by the layers of the other networks. Median error {:.1f} %.\n", *error);
  } else {
    fmt::print("One network alone: how well its layers predict others is not known.\n");
  }
  if (!command.output.empty())
    fmt::print("{0} is written; narrows price MODEL --device {0} --link wifi uses it.\n",
               command.output);
}

/// Adds what messages between `narrows node` and `narrows serve` take here.
Status addExchange(std::size_t pictures, DeviceModel& device) {
  NARROWS_TRY(rates, measureExchange(pictures));
  device.exchange = rates;
  const std::string source = fmt::format(
      "narrows profile, narrows node and serve of two layers over the loopback, maps of 3 kB and "
      "of 1 MB, half of what is neither computing nor coding, medians of {} pictures",
      pictures);
  device.figures.push_back(
      {"exchange.ms", toMilliseconds(rates.time), "ms", Ground::measured, source});
  device.figures.push_back(
      {"exchange.ns_per_byte", rates.per_byte.value() * 1e9, "ns/B", Ground::measured, source});
  return {};
}

Status profileHost(const ProfileCommand& command) {
  std::vector<NamedGraph> models;
  for (const std::string& name : command.models) {
    ModelOptions wanted;
    wanted.model = name;
    wanted.seed = command.host.seed;
    NARROWS_TRY(model, loadModel(wanted));
    models.push_back({name, std::move(model.graph)});
  }
  NARROWS_TRY(engine, makeEngine(command.engine));
  HostProfile profile;
  {
    ProgressBar bar("profile", hostProfileSteps(models.size(), command.host), "runs");
    NARROWS_TRY(measured, measureHost(*engine, models, command.host, [&] { bar.advance(); }));
    profile = std::move(measured);
  }
  if (command.exchanges > 0) NARROWS_CHECK(addExchange(command.exchanges, profile.device));
  if (!command.output.empty()) {
    const std::string text = formatDeviceModel(profile.device);
    NARROWS_CHECK(
        writeFileAtomically(command.output, std::as_bytes(std::span(text.data(), text.size()))));
  }
  print(command, profile);
  return {};
}

}  // namespace

int runProfile(std::span<const std::string> arguments) {
  Arguments parser(
      "profile",
      "Measure how fast this host runs networks, whole and in pieces, layer by layer; fit a "
      "predictor for others; write both as a device profile.",
      "narrows profile zoo:mobilenetv2 zoo:resnet50 zoo:tiny-yolov3 --output host.toml\n  narrows "
      "price MODEL.onnx --device host.toml --server host.toml --link wifi");
  ProfileCommand command;
  CLI::App& app = parser.app();
  app.add_option("model", command.models,
                 "Networks to measure: PATH.onnx, PATH.cfg or zoo:NAME; the more kinds of layers "
                 "the better the predictor")
      ->required();
  app.add_option("--output", command.output, "Write the profile to this file, NAME.toml");
  app.add_option("--name", command.host.name, "Name of the device in the profile")
      ->capture_default_str();
  app.add_option("--threads", command.host.threads, "Threads of a run")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--dtype", command.dtype,
                 "What is multiplied: f32, bf16, or int8, integers of 8 bits")
      ->check(CLI::IsMember({"f32", "bf16", "int8"}))
      ->capture_default_str();
  app.add_option("--runs", command.host.runs, "Runs of each piece; the median time counts")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--rest-ms", command.rest_ms,
                 "Rest before each run, as between pictures (0: none, for a device that is always "
                 "busy)")
      ->check(CLI::Range(0.0, 10'000.0))
      ->capture_default_str();
  app.add_option(
         "--exchanges", command.exchanges,
         "Pictures that node and serve exchange here, to see what a message takes (0: none)")
      ->check(CLI::Range(0, 10'000))
      ->capture_default_str();
  app.add_option("--cuts", command.host.cuts, "Places where each network is cut")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  app.add_option("--seed", command.host.seed, "Of inputs and of random weights")
      ->capture_default_str();
  addEngineOption(app, command.engine, "Inference engine")->capture_default_str();
  addOutputOptions(app, command.format);
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run)
    return Arguments::exitCode(outcome);
  command.host.precision = *parsePrecision(command.dtype);
  command.host.rest = milliseconds(command.rest_ms);
  if (const Status status = profileHost(command); !status.ok())
    return reportFailure("profile", status.error());
  return kExitOk;
}

}  // namespace narrows
