#include "narrows/cli/split.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "narrows/base/thread_pool.h"
#include "narrows/bundle/bundle.h"
#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/cut_choice.h"
#include "narrows/cli/data_source.h"
#include "narrows/cli/interface_options.h"
#include "narrows/cli/model_source.h"
#include "narrows/cli/table.h"
#include "narrows/graph/cost.h"
#include "narrows/plan/split.h"

namespace narrows {
namespace {

struct SplitOptions {
  ModelOptions model;
  std::string cut;
  std::string picture;
  bool on_node = false;
  int jpeg_quality = 90;
  std::string quantizer = "uniform";
  std::string bits = "8";
  std::string granularity = "channel";
  /// Empty: context, or zstd where there is no quantizer.
  std::string coder;
  std::string effort = "normal";
  std::size_t max_frame_bytes = 0;
  std::string calibration;
  std::string calibration_split;
  std::size_t calibration_images = 32;
  std::string engine{defaultEngineName()};
  std::size_t threads = 0;
  std::string out;
  bool json = false;
};

Result<std::vector<FeatureInterface>> fitInterfaces(const SplitOptions& options,
                                                    const LoadedModel& model,
                                                    const ModelDescription& description,
                                                    const Cut& cut) {
  NARROWS_TRY(specs, makeQuantizers(options.quantizer, options.bits, options.granularity));
  if (specs.size() != 1) return makeError("--bits: a bundle has one width, not {}", specs.size());
  const bool quantized = specs[0].kind != QuantizerKind::none;
  const std::string standard(toString(quantized ? CoderKind::context : CoderKind::zstd));
  NARROWS_TRY(coder, parseCoder(options.coder.empty() ? standard : options.coder));
  if (options.effort == "max") coder.level = levelRange(coder.kind).highest;
  if (!quantized) {
    std::vector<FeatureInterface> interfaces;
    for (ValueId value : cut.values) {
      interfaces.push_back(plainInterface(model.graph.type(value)));
      interfaces.back().coder = coder;
    }
    return interfaces;
  }
  if (options.calibration.empty()) {
    return makeError(
        "a quantizer is calibrated on pictures: give --calibration DIR, or --quantizer none");
  }
  DataSourceOptions source;
  source.path = options.calibration;
  CalibrationOptions calibration{options.calibration, options.calibration_split,
                                 options.calibration_images};
  NARROWS_TRY(set, openCalibration(calibration, source, description));
  NARROWS_TRY(engine, makeEngine(options.engine));
  PictureSource pictures(set.data.items, description.preprocessing);
  const std::size_t threads = options.threads != 0 ? options.threads : hardwareThreads();
  NARROWS_TRY(statistics, calibrateCut(*engine, model.graph, cut, description, pictures,
                                       specs[0].granularity, threads));
  return statistics.fit(specs[0], coder);
}

Result<SplitModel> makeSplit(const SplitOptions& options, const LoadedModel& model,
                             const ModelDescription& description) {
  if (options.on_node) return allOnNode(model.graph);
  if (!options.picture.empty()) {
    NARROWS_TRY(coding, parseImageCoding(options.picture).within("--picture"));
    return allOnServer(model.graph, {coding, options.jpeg_quality});
  }
  NARROWS_TRY(cuts, chooseCuts(model.graph, {&options.cut, 1}, 1));
  NARROWS_TRY(interfaces, fitInterfaces(options, model, description, cuts[0]));
  for (FeatureInterface& interface : interfaces) {
    interface.max_frame_bytes = options.max_frame_bytes;
    NARROWS_CHECK(validate(interface).within("--max-frame-bytes"));
  }
  return splitAt(model.graph, cuts[0], std::move(interfaces));
}

void report(const SplitOptions& options, const Bundle& bundle) {
  if (options.json) {
    nlohmann::ordered_json document;
    document["bundle"] = options.out;
    document["model"] = bundle.name;
    for (std::size_t i = 0; i < bundle.pieces.size(); ++i) {
      const Cost piece_cost = cost(bundle.pieces[i]);
      document["pieces"].push_back(
          {{"name", bundle.plan.pieces[i].name},
           {"device", bundle.plan.devices[bundle.plan.pieces[i].device.index()].name},
           {"macs", piece_cost.macs},
           {"parameters", piece_cost.parameters}});
    }
    fmt::print("{}\n",
               document.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
    return;
  }
  fmt::print("wrote {}\n", options.out);
  for (std::size_t i = 0; i < bundle.pieces.size(); ++i) {
    const Cost piece_cost = cost(bundle.pieces[i]);
    fmt::print("  piece {} on {}: {} MACs, {} parameters\n", bundle.plan.pieces[i].name,
               bundle.plan.devices[bundle.plan.pieces[i].device.index()].name,
               withSeparators(piece_cost.macs), withSeparators(piece_cost.parameters));
  }
  if (options.on_node) return;
  fmt::print(
      "next: narrows serve {} --listen 127.0.0.1:8001\n      narrows node {} --server "
      "127.0.0.1:8001 --input PICTURES\n",
      options.out, options.out);
}

Status split(const SplitOptions& options) {
  const int ways =
      (options.cut.empty() ? 0 : 1) + (options.picture.empty() ? 0 : 1) + (options.on_node ? 1 : 0);
  if (ways != 1) return makeError("give one of --cut, --picture and --all-on-node");
  if (options.max_frame_bytes != 0 && options.cut.empty()) {
    return makeError("--max-frame-bytes belongs to --cut");
  }
  if (std::filesystem::exists(options.out)) return makeError("{} exists already", options.out);
  NARROWS_TRY(model, loadModel(options.model));
  NARROWS_TRY(description, requireDescription(model));
  NARROWS_TRY(made, makeSplit(options, model, description));
  Bundle bundle;
  bundle.name = model.name;
  bundle.plan = std::move(made.plan);
  bundle.pieces = std::move(made.pieces);
  bundle.description = std::move(description);
  NARROWS_CHECK(writeBundle(bundle, options.out));
  report(options, bundle);
  return {};
}

}  // namespace

int runSplit(std::span<const std::string> arguments) {
  Arguments parser("split",
                   "Write a bundle: the pieces of a model cut at one place, with their interface.",
                   "narrows split yolo-fastest-1.1-coco.cfg --cut layer24 --bits 4 \\\n"
                   "      --calibration coco128 --calibration-split train2017 --out yolo.narrows");
  SplitOptions options;
  CLI::App& app = parser.app();
  addModelOptions(app, options.model);
  app.add_option("--cut", options.cut,
                 "Cut at this tensor; \"A+B\" for two (narrows analyze lists them)");
  app.add_option("--picture", options.picture,
                 "Cut before the network and send the picture: raw, jpeg or original");
  app.add_flag("--all-on-node", options.on_node, "Do not cut: the node computes all");
  app.add_option("--jpeg-quality", options.jpeg_quality, "For --picture jpeg")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--quantizer", options.quantizer, "uniform, two_level or none")
      ->capture_default_str();
  app.add_option("--bits", options.bits, "Width of a uniform quantizer, 1 to 8")
      ->capture_default_str();
  app.add_option("--granularity", options.granularity,
                 "One range for the tensor or for each channel")
      ->capture_default_str();
  app.add_option(
      "--coder", options.coder,
      "raw, deflate, lzma, zstd or context, with :LEVEL or :max if wanted (default: context, "
      "fitted to the calibration pictures; zstd without a quantizer)");
  app.add_option("--effort", options.effort, "max: the coder's highest level")
      ->check(CLI::IsMember({"normal", "max"}))
      ->capture_default_str();
  app.add_option("--max-frame-bytes", options.max_frame_bytes,
                 "Most bytes of a frame; a longer one is sent with fewer bits, or refused (0: no "
                 "limit)")
      ->capture_default_str();
  app.add_option("--calibration", options.calibration,
                 "Data set or folder of pictures to calibrate with");
  app.add_option("--calibration-split", options.calibration_split, "Split of the calibration set");
  app.add_option("--calibration-images", options.calibration_images,
                 "Pictures to calibrate with, spread over the set (0: all)")
      ->capture_default_str();
  app.add_option("--engine", options.engine, "Engine that calibrates")->capture_default_str();
  app.add_option("--threads", options.threads, "Pictures in parallel (0: one per core)")
      ->capture_default_str();
  app.add_option("--out", options.out,
                 "Bundle to write: NAME.narrows is one file, any other name a directory")
      ->required();
  app.add_flag("--json", options.json, "Print JSON");
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run)
    return Arguments::exitCode(outcome);
  if (Status status = split(options); !status.ok()) return reportFailure("split", status.error());
  return kExitOk;
}

}  // namespace narrows
