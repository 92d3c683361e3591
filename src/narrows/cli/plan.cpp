#include "narrows/cli/plan.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "narrows/base/thread_pool.h"
#include "narrows/bundle/bundle.h"
#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/group_coding.h"
#include "narrows/cli/group_report.h"
#include "narrows/cli/model_source.h"
#include "narrows/cli/output_options.h"
#include "narrows/codec/frame.h"
#include "narrows/cost/profiles.h"
#include "narrows/pipeline/sequence_pipeline.h"
#include "narrows/pipeline/streamed_memory.h"
#include "narrows/planner/group_planner.h"
#include "narrows/planner/memory_planner.h"

namespace narrows {
namespace {

struct PlanOptions {
  ModelOptions model;
  std::string devices;
  std::string objective = "latency";
  std::size_t in_flight = 4;
  std::string out;
  bool timeline = false;
  std::string memory;
  std::string device = "raspberry-pi4";
  std::string disk = "100MB";
  std::string program = "11MB";
  std::size_t threads = hardwareThreads();
  GroupCodingOptions coding;
  bool standbys = false;
  OutputOptions output;
};

struct Planned {
  LoadedModel model;
  DeviceGroup group;
  GroupObjective objective = GroupObjective::latency;
  GroupPlanning planning;
  double seconds = 0;
  /// Bytes of a frame as elements, before they are coded.
  double raw_traffic = 0;
  std::optional<CodedTransfers> coded;
  std::vector<DeviceLoss> losses;
};

/// After which `narrows run` gives a silent worker up, as long as it is not told otherwise.
constexpr Seconds kNoticing(1);

/// Interfaces for the chosen plan, and what it takes with them.
Status codePlan(const PlanOptions& options, GroupPlannerOptions planner, Planned& planned) {
  PricedPlan& best = planned.planning.best;
  planner.wire_ratio = 1;
  NARROWS_CHECK(repriceTransfers(best, planned.group, planner, {}));
  planned.raw_traffic = best.simulation.traffic.value();
  NARROWS_TRY(coded, codeGroup(options.coding, planned.model, best.split));
  NARROWS_CHECK(repriceTransfers(best, planned.group, planner, coded.bytes));
  planned.coded = std::move(coded);
  return {};
}

Result<Planned> choosePlan(const PlanOptions& options) {
  Planned planned;
  const auto objective = parseGroupObjective(options.objective);
  if (!objective) {
    return makeError("--objective: \"{}\", expected latency, throughput, traffic, memory or energy",
                     options.objective);
  }
  planned.objective = *objective;
  NARROWS_TRY(group, readDeviceGroup(options.devices));
  planned.group = std::move(group);
  ModelOptions wanted = options.model;
  wanted.types_only = options.out.empty() && !options.coding.wanted();
  NARROWS_TRY(model, loadModel(wanted));
  planned.model = std::move(model);
  GroupPlannerOptions planner;
  planner.objective = *objective;
  planner.in_flight = options.in_flight;
  planner.frame_overhead = Bytes(static_cast<double>(kFrameHeaderBytes));
  NARROWS_TRY(wire_ratio, expectedWireRatio(options.coding));
  planner.wire_ratio = wire_ratio;
  const auto start = std::chrono::steady_clock::now();
  NARROWS_TRY(planning, planGroup(planned.model.graph, planned.group, planner));
  planned.planning = std::move(planning);
  planned.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (options.standbys) nameStandbys(planned.planning.best);
  NARROWS_TRY(losses,
              deviceLosses(planned.model.graph, planned.group, planned.planning.best, planner));
  planned.losses = std::move(losses);
  if (options.coding.wanted()) NARROWS_CHECK(codePlan(options, planner, planned));
  return planned;
}

std::string gapText(const GroupPlanning& planning, GroupObjective objective) {
  if (planning.best.value == planning.bound) return "no plan is better";
  if (!(planning.bound > 0)) return "no bound is known for this group";
  const double gap = planning.gap() * 100;
  if (objective == GroupObjective::throughput) {
    return fmt::format("no plan can give more than {} (gap {:.0f} %)",
                       valueText(planning.bound, objective), gap);
  }
  return fmt::format("no plan can take less than {} (gap {:.0f} %)",
                     valueText(planning.bound, objective), gap);
}

void printTerminal(const Planned& planned, const PlanOptions& options) {
  const GroupPlanning& planning = planned.planning;
  const PricedPlan& best = planning.best;
  fmt::print(
      "{} over {} devices of {}: {} {} (simulated); {}.\n{} plans were tried in {:.2f} s.\n"
      "A frame alone takes {:.4g} ms and moves {:.4g} MB between devices, framing included.\n\n",
      planned.model.name, planned.group.devices.size(), options.devices,
      toString(planned.objective), valueText(best.value, planned.objective),
      gapText(planning, planned.objective), planning.candidates, planned.seconds,
      toMilliseconds(best.simulation.latency), best.simulation.traffic.value() / 1e6);
  if (planned.coded && planned.raw_traffic > 0) {
    fmt::print(
        "Coded, that is {:.1f} % less than the {:.4g} MB of elements as they are (measured, "
        "{}).\n\n",
        100 * (1 - best.simulation.traffic.value() / planned.raw_traffic),
        planned.raw_traffic / 1e6, planned.coded->pictures);
  }
  fmt::print("{}\n", stageTable(planned.model.graph, planned.group, best.design).terminal());
  fmt::print("{}\n", deviceTable(planned.group, best.simulation).terminal());
  if (best.simulation.traffic.value() > 0) {
    fmt::print("{}\n", trafficTable(planned.group, best.simulation).terminal());
  }
  if (!planned.losses.empty()) {
    fmt::print("{}\n", lossTable(planned.group, planned.losses, kNoticing).terminal());
  }
  if (!planning.alternatives.empty()) {
    fmt::print("{}\n", alternativeTable(planning, planned.objective).terminal());
  }
  if (options.timeline) {
    fmt::print("{}\n", timelineTable(planned.group, best.split.plan, best.simulation).terminal());
  }
}

void printJson(const Planned& planned, const PlanOptions& options) {
  const PricedPlan& best = planned.planning.best;
  const auto parse = [](const Table& table) { return nlohmann::ordered_json::parse(table.json()); };
  nlohmann::ordered_json document;
  document["model"] = planned.model.name;
  document["devices_file"] = options.devices;
  document["objective"] = toString(planned.objective);
  document["value"] = best.value;
  document["unit"] = unitOf(planned.objective);
  document["origin"] = "simulated";
  document["bound"] = planned.planning.bound;
  if (std::isfinite(planned.planning.gap())) document["gap"] = planned.planning.gap();
  document["candidates"] = planned.planning.candidates;
  document["planner_s"] = planned.seconds;
  document["latency_s"] = best.simulation.latency.value();
  document["period_s"] = best.simulation.period.value();
  document["traffic_bytes"] = best.simulation.traffic.value();
  if (planned.coded) {
    document["raw_traffic_bytes"] = planned.raw_traffic;
    document["coded_on"] = planned.coded->pictures;
  }
  document["stages"] = parse(stageTable(planned.model.graph, planned.group, best.design));
  document["devices"] = parse(deviceTable(planned.group, best.simulation));
  document["traffic"] = parse(trafficTable(planned.group, best.simulation));
  document["losses"] = parse(lossTable(planned.group, planned.losses, kNoticing));
  document["alternatives"] = parse(alternativeTable(planned.planning, planned.objective));
  if (options.timeline) {
    document["timeline"] = parse(timelineTable(planned.group, best.split.plan, best.simulation));
  }
  fmt::print("{}\n",
             document.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

/// A bundle with the pieces of a plan.
Status writePieces(const LoadedModel& model, SplitModel split, const std::string& path) {
  NARROWS_TRY(description, requireDescription(model));
  Bundle bundle;
  bundle.name = model.name;
  bundle.plan = std::move(split.plan);
  bundle.pieces = std::move(split.pieces);
  bundle.description = std::move(description);
  return writeBundle(bundle, path);
}

/// One device that is too small: pieces in a row.
Status planMemory(const PlanOptions& options) {
  MemoryPlannerOptions limits;
  limits.memory = parseByteCount(options.memory);
  limits.read_bytes_per_s = parseByteCount(options.disk);
  if (!(limits.memory > 0)) return makeError("--memory: \"{}\", expected 64MB", options.memory);
  if (!(limits.read_bytes_per_s > 0)) {
    return makeError("--disk: \"{}\", expected bytes a second such as 100MB", options.disk);
  }
  limits.program = parseByteCount(options.program);
  if (!(limits.program >= 0)) {
    return makeError("--program-memory: \"{}\", expected bytes such as 11MB", options.program);
  }
  NARROWS_TRY(engine, makeEngine(leanEngineName()));
  const StreamedRun how{options.threads, static_cast<std::size_t>(limits.window)};
  limits.program_memory = [&](const Graph& piece) { return streamedMemory(*engine, piece, how); };
  NARROWS_TRY(device, findDeviceModel(options.device));
  DeviceGroup group;
  group.devices.push_back({device.name, device, LinkModel(), std::nullopt});
  NARROWS_TRY(model, loadModel(options.model));
  NARROWS_TRY(planning, planWithinMemory(model.graph, group, limits));
  const Table stages = stageTable(model.graph, group, planning.design);
  const double slower = planning.time / planning.floor;
  switch (options.output.format()) {
    case OutputFormat::terminal:
      fmt::print(
          "{} on {} within {:.4g} MB: {} pieces in a row, at most {:.4g} MB in use, {:.4g} MB of "
          "them by the program\n(piece {}). {:.4g} s with weights read at {:.4g} MB/s, {:.3f} "
          "times the "
          "{:.4g} s without a limit (modelled).\n\n{}",
          model.name, device.name, limits.memory / 1e6, planning.split.pieces.size(),
          static_cast<double>(planning.peak) / 1e6, limits.program / 1e6,
          planning.split.plan.pieces[planning.peak_piece].name, planning.time.value(),
          limits.read_bytes_per_s / 1e6, slower, planning.floor.value(), stages.terminal());
      break;
    case OutputFormat::csv:
      fmt::print("{}", stages.csv());
      break;
    case OutputFormat::json: {
      nlohmann::ordered_json document;
      document["model"] = model.name;
      document["device"] = device.name;
      document["memory_bytes"] = limits.memory;
      document["pieces"] = planning.split.pieces.size();
      document["program_bytes"] = limits.program;
      document["peak_bytes"] = planning.peak;
      document["time_s"] = planning.time.value();
      document["floor_s"] = planning.floor.value();
      document["weight_bytes_read"] = planning.weight_bytes;
      document["origin"] = "modelled";
      document["stages"] = nlohmann::ordered_json::parse(stages.json());
      fmt::print("{}\n",
                 document.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
      break;
    }
  }
  if (options.out.empty()) return {};
  return writePieces(model, std::move(planning.split), options.out);
}

Status plan(const PlanOptions& options) {
  if (!options.memory.empty()) return planMemory(options);
  if (options.devices.empty()) {
    return makeError("expected --devices FILE for a group, or --memory SIZE for one device");
  }
  NARROWS_TRY(planned, choosePlan(options));
  switch (options.output.format()) {
    case OutputFormat::terminal:
      printTerminal(planned, options);
      break;
    case OutputFormat::csv:
      fmt::print(
          "{}", stageTable(planned.model.graph, planned.group, planned.planning.best.design).csv());
      break;
    case OutputFormat::json:
      printJson(planned, options);
      break;
  }
  if (options.out.empty()) return {};
  NARROWS_CHECK(writePieces(planned.model, std::move(planned.planning.best.split), options.out));
  if (options.output.format() == OutputFormat::terminal) fmt::print("wrote {}\n", options.out);
  return {};
}

}  // namespace

int runPlan(std::span<const std::string> arguments) {
  Arguments parser(
      "plan",
      "Spread a network over a group of devices: tiles, slices, pipelines, or fewer "
      "devices; within each one's memory.",
      "narrows plan zoo:yolov2 --devices examples/six-boards.toml\n  narrows plan zoo:vgg16 "
      "--memory 64MB\n  narrows plan "
      "model.onnx --devices boards.toml --objective throughput --timeline --out "
      "group.narrows");
  PlanOptions options;
  CLI::App& app = parser.app();
  addModelOptions(app, options.model);
  auto* devices = app.add_option("--devices", options.devices,
                                 "Devices, links and memory (see docs/groups.md)");
  app.add_option(
         "--memory", options.memory,
         "Instead of a group: one device with so much memory for all of a run, such as 64MB")
      ->excludes(devices);
  app.add_option("--device", options.device, "That device: a profile, or FILE.toml")
      ->capture_default_str();
  app.add_option("--disk", options.disk, "Bytes of weights it reads in a second")
      ->capture_default_str();
  app.add_option("--threads", options.threads,
                 "With --memory: threads that run the plan, each of which packs weights of its own")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--program-memory", options.program,
                 "Of --memory, what narrows-sequence itself takes")
      ->capture_default_str();
  app.add_option("--objective", options.objective,
                 "latency, throughput, traffic, memory (of the fullest device) or energy")
      ->capture_default_str();
  app.add_option("--in-flight", options.in_flight, "Frames on their way at once, for throughput")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  addGroupCodingOptions(app, options.coding);
  app.add_flag("--standbys", options.standbys,
               "Name for each device another one that keeps its weights too and takes over");
  app.add_option("--out", options.out, "Write the bundle: NAME.narrows, or a folder");
  app.add_flag("--timeline", options.timeline, "Every piece and message with its time");
  addOutputOptions(app, options.output);
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run)
    return Arguments::exitCode(outcome);
  if (Status status = plan(options); !status.ok()) return reportFailure("plan", status.error());
  return kExitOk;
}

}  // namespace narrows
