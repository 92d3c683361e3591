#include "narrows/cli/measure.h"

#include <fmt/format.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "narrows/base/file.h"
#include "narrows/base/median.h"
#include "narrows/bundle/bundle.h"
#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/cut_choice.h"
#include "narrows/cli/data_source.h"
#include "narrows/cli/deployed_design.h"
#include "narrows/cli/design_pricer.h"
#include "narrows/cli/engine_option.h"
#include "narrows/cli/exchange_timer.h"
#include "narrows/cli/interface_options.h"
#include "narrows/cli/model_source.h"
#include "narrows/cli/output_options.h"
#include "narrows/cli/progress.h"
#include "narrows/cli/real_run.h"
#include "narrows/cli/shaped_network.h"
#include "narrows/cli/split_recipe.h"
#include "narrows/cli/stop_signal.h"
#include "narrows/eval/calibration.h"
#include "narrows/eval/frame_meter.h"
#include "narrows/eval/piece_runner.h"
#include "narrows/eval/rested_times.h"
#include "narrows/plan/split.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

constexpr double kGoodPercent = 10;

struct MeasureOptions {
  ModelOptions model;
  DataSourceOptions data;
  std::vector<std::string> cuts;
  std::size_t spread = 4;
  std::string bits = "8";
  std::string coder = "raw";
  std::size_t pictures = 10;
  bool simulate = false;
  std::string design;
  std::string store{kStandardStore};
  std::string bundle;
  std::string engine{defaultEngineName()};
  CostOptions cost;
  OutputOptions output;
};

/// What is done once for each picture or frame on this host.
struct HostWork {
  Seconds prepare;
  Seconds encode;
  Seconds decode;
  /// Writing, reading and checking the request, both sides together; not sending it.
  Seconds message;
};

/// One plan over one link.
struct PlanRun {
  std::string cut;
  std::string link;
  RealLatency measured;
  Price predicted;
  Seconds prepare;
  /// Of both sides; part of the predicted latency.
  Seconds message;
  /// What the shaped link lets through at once, which the link's model does not know.
  Seconds credit;

  Seconds predictedTotal() const { return prepare + predicted.latency - credit; }
  double errorPercent() const { return 100 * (predictedTotal() / measured.total - 1); }
  bool boundByComputing() const {
    return predicted.latency.value() > 2 * (predicted.link_time + predicted.answer_time).value();
  }
};

struct Report {
  bool simulated = false;
  std::vector<PlanRun> runs;
};

/// Times what the profiles do not say: preparing the picture and coding, each time after `rest`,
/// and the request around it.
Result<HostWork> measureHostWork(const MeasureOptions& options, const fs::path& picture,
                                 const Graph& node, const ModelDescription& description,
                                 std::span<const FeatureInterface> interfaces, Seconds rest) {
  NARROWS_TRY(file, readFile(picture));
  Tensor input;
  RestedTimes prepare(rest);
  for (std::size_t i = 0; i < options.pictures; ++i) {
    NARROWS_CHECK(prepare.time([&]() -> Status {
      NARROWS_TRY(image, decodeImage(file));
      NARROWS_TRY(prepared, preprocess(image, description.preprocessing));
      input = std::move(prepared);
      return {};
    }));
  }
  NARROWS_TRY(engine, makeEngine(defaultEngineName()));
  NARROWS_TRY(runner, PieceRunner::create(*engine, node, 1));
  const TensorView view = input.view();
  NARROWS_TRY(maps, runner.run({&view, 1}));
  HostWork work;
  work.prepare = prepare.middle();
  NARROWS_TRY(meter, FrameMeter::create(interfaces));
  // The first frame makes buffers.
  NARROWS_CHECK(meter.measure(maps, 0));
  std::vector<double> encode;
  std::vector<double> decode;
  for (std::size_t i = 0; i < options.pictures; ++i) {
    const FrameStatistics before = meter.statistics();
    restFor(rest);
    NARROWS_CHECK(meter.measure(maps, static_cast<std::uint32_t>(i + 1)));
    encode.push_back((meter.statistics().encode_time - before.encode_time).value());
    decode.push_back((meter.statistics().decode_time - before.decode_time).value());
  }
  work.encode = Seconds(median(std::move(encode)));
  work.decode = Seconds(median(std::move(decode)));
  NARROWS_TRY(message, timeMessage(static_cast<std::size_t>(meter.statistics().meanBytes()),
                                   options.pictures));
  work.message = message;
  return work;
}

/// Profiles that do not say what a message takes: what was measured here, half for each side.
void addMessage(Seconds message, SplitSetting& setting) {
  for (std::optional<DeviceModel>* device : {&setting.node, &setting.server}) {
    ExchangeRates& exchange = (*device)->exchange;
    if (exchange.time == Seconds()) exchange = {message / 2, Seconds()};
  }
}

/// A folder with one picture many times, so that all times are those of the same work.
Status fillFolder(const fs::path& picture, std::size_t count, const fs::path& folder) {
  std::error_code code;
  fs::create_directory(folder, code);
  const fs::path source = fs::absolute(picture, code);
  for (std::size_t i = 0; i < count && !code; ++i)
    fs::create_symlink(source, folder / fmt::format("{:04}{}", i, picture.extension().string()),
                       code);
  if (code) return makeError("{}: {}", folder.string(), code.message());
  return {};
}

class Measurement {
 public:
  static Result<Measurement> create(const MeasureOptions& options) {
    Measurement measurement(options);
    NARROWS_TRY(work, TemporaryDirectory::create("narrows-measure"));
    measurement.work_ = std::make_unique<TemporaryDirectory>(std::move(work));
    NARROWS_TRY(model, loadModel(options.model));
    NARROWS_TRY(description, requireDescription(model));
    NARROWS_TRY(data, openData(options.data, description));
    if (data.items.empty()) return makeError("{} has no pictures", options.data.path);
    measurement.model_ = std::make_unique<LoadedModel>(std::move(model));
    measurement.description_ = std::move(description);
    measurement.data_ = std::move(data);
    NARROWS_CHECK(fillFolder(measurement.data_.items[0].image, options.pictures,
                             measurement.work_->path() / "pictures"));
    NARROWS_TRY(setting, readSetting(options.cost));
    measurement.setting_ = std::move(setting);
    measurement.network_ = networkUnless(options.simulate, measurement.work_->path());
    return measurement;
  }

  Result<Report> run() {
    NARROWS_TRY(cuts, options_.cuts.empty()
                          ? Result<std::vector<Cut>>(spreadCuts(model_->graph, options_.spread))
                          : chooseCuts(model_->graph, options_.cuts, 1));
    // A signal ends the run between two plans, so that processes and network are cleared away.
    const StopSignal stop;
    Report report;
    report.simulated = network_ == nullptr;
    ProgressBar bar("measure", cuts.size() * options_.cost.links.size(), "plans");
    for (const Cut& cut : cuts)
      NARROWS_CHECK(
          measureCut(cut, stop.raised(), report, bar).within(cutName(model_->graph, cut)));
    return report;
  }

 private:
  explicit Measurement(const MeasureOptions& options) : options_(options) {}

  Result<std::vector<FeatureInterface>> fitInterfaces(const Cut& cut) const {
    NARROWS_TRY(specs, makeQuantizers("uniform", options_.bits, "channel"));
    if (specs.size() != 1) return makeError("--bits: expected one width");
    NARROWS_TRY(coder, parseCoder(options_.coder));
    NARROWS_TRY(engine, makeEngine(defaultEngineName()));
    PictureSource pictures({data_.items.data(), 1}, description_.preprocessing);
    NARROWS_TRY(statistics, calibrateCut(*engine, model_->graph, cut, description_, pictures,
                                         specs[0].granularity, 1));
    return statistics.fit(specs[0], coder);
  }

  Status measureCut(const Cut& cut, const std::atomic<bool>& stop, Report& report,
                    ProgressBar& bar) {
    const std::string name = cutName(model_->graph, cut);
    NARROWS_TRY(interfaces, fitInterfaces(cut));
    NARROWS_TRY(split, splitAt(model_->graph, cut, interfaces));
    NARROWS_TRY(work, measureHostWork(options_, data_.items[0].image, split.pieces[0], description_,
                                      interfaces, rest()));
    Bundle bundle;
    bundle.name = model_->name;
    bundle.plan = std::move(split.plan);
    bundle.pieces = std::move(split.pieces);
    bundle.description = description_;
    const fs::path path = work_->path() / fmt::format("bundle{}", count_++);
    NARROWS_CHECK(writeBundle(bundle, path));
    NARROWS_TRY(real, RealRun::start(path, network_.get(), work_->path()));
    for (const std::string& link : options_.cost.links) {
      if (stop.load()) return makeError("stopped");
      SplitSetting setting = setting_;
      NARROWS_TRY(found, findLink(link));
      setting.links = {found};
      // The request is measured whole below.
      setting.envelope = {};
      addMessage(work.message, setting);
      if (network_) NARROWS_CHECK(network_->setRate(found.up));
      NARROWS_TRY(pictures, real.run(work_->path() / "pictures", link));
      const RealLatency measured = medianOf(pictures);
      setting.answer = measured.reply;
      NARROWS_TRY(pricer, SplitPricer::create(std::move(setting), model_->graph));
      NARROWS_TRY(prices, pricer.forCut(cut, {}));
      const Price price = pricer.price(prices[0], measured.request, work.encode, work.decode);
      const Seconds message = pricer.node().exchange.of(measured.request) +
                              pricer.server().exchange.of(measured.request);
      report.runs.push_back({name, link, measured, price, work.prepare, message, Seconds()});
      if (network_)
        report.runs.back().credit = ShapedNetwork::credit(found, measured.request) +
                                    ShapedNetwork::credit(found, measured.reply);
      bar.advance();
    }
    std::error_code code;
    fs::remove_all(path, code);
    return {};
  }

  /// As the node's profile was measured.
  Seconds rest() const { return setting_.node->timing ? setting_.node->timing->rest : Seconds(); }

  Result<LinkModel> findLink(const std::string& text) const {
    for (std::size_t i = 0; i < options_.cost.links.size(); ++i) {
      if (options_.cost.links[i] == text) return setting_.links[i];
    }
    return makeError("no link {}", text);
  }

  MeasureOptions options_;
  std::unique_ptr<TemporaryDirectory> work_;
  std::unique_ptr<LoadedModel> model_;
  ModelDescription description_;
  DataSet data_;
  SplitSetting setting_;
  std::unique_ptr<ShapedNetwork> network_;
  std::size_t count_ = 0;
};

Table tableOf(const Report& report) {
  Table table({{"cut", "cut"},
               {"link", "link"},
               {"request_bytes", "B", 0},
               {"bound", "bound by"},
               {"prepare_ms", "prepare ms", 2},
               {"message_ms", "message ms", 2},
               {"node_predicted_ms", "node ms, predicted", 2},
               {"node_measured_ms", "measured", 2},
               {"server_predicted_ms", "server ms, predicted", 2},
               {"server_measured_ms", "measured", 2},
               {"predicted_ms", "latency ms, predicted", 2},
               {"measured_ms", "measured", 2},
               {"error_percent", "error %", 1}});
  for (const PlanRun& run : report.runs) {
    const DevicePrice& node = run.predicted.devices[0];
    const DevicePrice& server = run.predicted.devices[1];
    table.add(
        {run.cut, run.link, run.measured.request.value(),
         std::string(run.boundByComputing() ? "computing" : "link"), toMilliseconds(run.prepare),
         toMilliseconds(run.message), toMilliseconds(node.busy() + run.prepare),
         toMilliseconds(run.measured.node + run.measured.encode), toMilliseconds(server.busy()),
         toMilliseconds(run.measured.server), toMilliseconds(run.predictedTotal()),
         toMilliseconds(run.measured.total), run.errorPercent()});
  }
  return table;
}

void print(const MeasureOptions& options, const Report& report) {
  const Table table = tableOf(report);
  std::size_t good = 0;
  std::size_t computing = 0;
  for (const PlanRun& run : report.runs) {
    if (std::abs(run.errorPercent()) <= kGoodPercent) ++good;
    if (run.boundByComputing()) ++computing;
  }
  const std::string_view origin = report.simulated ? "simulated" : "measured";
  if (options.output.json) {
    nlohmann::ordered_json document;
    document["model"] = options.model.model;
    document["origin"] = origin;
    document["pictures"] = options.pictures;
    document["plans"] = report.runs.size();
    document["within_10_percent"] = good;
    document["bound_by_computing"] = computing;
    document["rows"] = nlohmann::ordered_json::parse(table.json());
    fmt::print("{}\n",
               document.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
    return;
  }
  fmt::print("{}", table.text(options.output.format()));
  if (options.output.csv) return;
  fmt::print(
      "\nLatency: from the picture's file to the answer, median of {} pictures ({}: "
      "{}).\nPredicted: "
      "the profiles' computing and messages, the link's model; preparation and coding as measured "
      "here.\n{} of "
      "{} plans within {} %; {} bound by computing.\n",
      options.pictures, origin, linkInWords(report.simulated), good, report.runs.size(),
      kGoodPercent, computing);
}

Status measure(const MeasureOptions& options) {
  if (!options.design.empty()) {
    return measureDeployed({options.model, options.data, options.design, options.store,
                            options.bundle, options.engine, 0, options.simulate, options.output});
  }
  if (options.cost.device.empty() || options.cost.server.empty()) {
    return makeError(
        "--device and --server: give this host's profile, which narrows profile MODEL --output "
        "host.toml writes");
  }
  for (const std::string& link : options.cost.links) {
    if (!link.ends_with("bit/s"))
      return makeError("--link: \"{}\" is no rate such as 10Mbit/s; only a rate can be shaped",
                       link);
  }
  NARROWS_TRY(measurement, Measurement::create(options));
  NARROWS_TRY(report, measurement.run());
  print(options, report);
  return {};
}

}  // namespace

int runMeasure(std::span<const std::string> arguments) {
  Arguments parser(
      "measure",
      "Run splits of a model for real, node and server as two processes over a link of limited "
      "rate, and print the prediction beside the measurement.",
      "narrows profile zoo:mobilenetv2 zoo:resnet18 --output host.toml\n  narrows measure "
      "zoo:mobilenetv2 --data pictures --device host.toml --server host.toml \\\n      --link "
      "5Mbit/s --link 50Mbit/s\n  narrows measure bccd.onnx --data bccd-voc --split val --design "
      "3fa9 --bundle camera.narrows");
  MeasureOptions options;
  CLI::App& app = parser.app();
  addModelOptions(app, options.model);
  addDataOptions(app, options.data, true);
  app.add_option("--cut", options.cuts, "Cut at this tensor; may be repeated");
  app.add_option("--cuts", options.spread, "Without --cut: so many, spread over the MACs")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--bits", options.bits, "Width of the uniform quantizer")->capture_default_str();
  app.add_option("--coder", options.coder, "raw, deflate, lzma, zstd or context")
      ->capture_default_str();
  app.add_option("--pictures", options.pictures, "Times that the first picture of the data is sent")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--design", options.design,
                 "Instead: a design of narrows explore, by its id or the beginning of it, on all "
                 "pictures, beside what was promised");
  app.add_option("--store", options.store, "With --design: the store that has it")
      ->capture_default_str();
  app.add_option("--bundle", options.bundle, "With --design: what narrows split made of it");
  addEngineOption(app, options.engine, "With --design: engine that scores")->capture_default_str();
  app.add_flag("--simulate", options.simulate, "Emulate the link by waiting in the process");
  addCostOptions(app, options.cost);
  addOutputOptions(app, options.output);
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run)
    return Arguments::exitCode(outcome);
  if (options.cost.links.empty()) options.cost.links = {"10Mbit/s"};
  if (const Status status = measure(options); !status.ok())
    return reportFailure("measure", status.error());
  return kExitOk;
}

}  // namespace narrows
