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
#include "narrows/cli/engine_option.h"
#include "narrows/cli/interface_options.h"
#include "narrows/cli/model_source.h"
#include "narrows/cli/split_recipe.h"
#include "narrows/cli/table.h"
#include "narrows/explore/store.h"
#include "narrows/graph/cost.h"
#include "narrows/plan/split.h"

namespace narrows {
namespace {

struct SplitOptions {
  ModelOptions model;
  SplitRecipe recipe;
  /// Beginning of the id of a design in `store`, instead of a recipe.
  std::string design;
  std::string store{kStandardStore};
  std::string effort = "normal";
  std::size_t max_frame_bytes = 0;
  std::uint32_t key_interval = 0;
  std::size_t threads = 0;
  std::string out;
  bool json = false;
};

Result<std::vector<FeatureInterface>> fitInterfaces(const SplitOptions& options,
                                                    const LoadedModel& model,
                                                    const ModelDescription& description,
                                                    const Cut& cut) {
  const SplitRecipe& recipe = options.recipe;
  NARROWS_TRY(specs, makeQuantizers(recipe.quantizer, recipe.bits, recipe.granularity));
  if (specs.size() != 1) return makeError("--bits: a bundle has one width, not {}", specs.size());
  const bool quantized = specs[0].kind != QuantizerKind::none;
  const std::string standard(toString(quantized ? CoderKind::context : CoderKind::zstd));
  NARROWS_TRY(coder, parseCoder(recipe.coder.empty() ? standard : recipe.coder));
  if (options.effort == "max") coder.level = levelRange(coder.kind).highest;
  if (!quantized) {
    std::vector<FeatureInterface> interfaces;
    for (ValueId value : cut.values) {
      interfaces.push_back(plainInterface(model.graph.type(value)));
      interfaces.back().coder = coder;
    }
    return interfaces;
  }
  if (recipe.calibration.path.empty()) {
    return makeError(
        "a quantizer is calibrated on pictures: give --calibration DIR, or --quantizer none");
  }
  DataSourceOptions source;
  source.path = recipe.calibration.path;
  NARROWS_TRY(set, openCalibration(recipe.calibration, source, description));
  NARROWS_TRY(engine, makeEngine(recipe.engine));
  PictureSource pictures(set.data.items, description.preprocessing);
  const std::size_t threads = threadCount(options.threads);
  NARROWS_TRY(statistics, calibrateCut(*engine, model.graph, cut, description, pictures,
                                       specs[0].granularity, threads));
  return statistics.fit(specs[0], coder);
}

Result<SplitModel> makeSplit(const SplitOptions& options, const LoadedModel& model,
                             const ModelDescription& description) {
  if (options.recipe.on_node) return allOnNode(model.graph);
  if (!options.recipe.picture.empty()) {
    NARROWS_TRY(coding, parseImageCoding(options.recipe.picture).within("--picture"));
    return allOnServer(model.graph, {coding, options.recipe.jpeg_quality});
  }
  NARROWS_TRY(cuts, chooseCuts(model.graph, {&options.recipe.cut, 1}, 1));
  NARROWS_TRY(interfaces, fitInterfaces(options, model, description, cuts[0]));
  for (FeatureInterface& interface : interfaces) {
    interface.max_frame_bytes = options.max_frame_bytes;
    interface.key_interval = options.key_interval;
    NARROWS_CHECK(validate(interface).within("--max-frame-bytes and --temporal"));
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
  if (options.recipe.on_node) return;
  fmt::print(
      "next: narrows serve {} --listen 127.0.0.1:8001\n      narrows node {} --server "
      "127.0.0.1:8001 --input PICTURES\n",
      options.out, options.out);
}

/// The recipe of the design that the options name, if they name one.
Status takeDesign(SplitOptions& options) {
  const SplitRecipe& given = options.recipe;
  const int ways = (given.cut.empty() ? 0 : 1) + (given.picture.empty() ? 0 : 1) +
                   (given.on_node ? 1 : 0) + (options.design.empty() ? 0 : 1);
  if (ways != 1) return makeError("give one of --cut, --picture, --all-on-node and --design");
  if (options.max_frame_bytes != 0 && !given.picture.empty())
    return makeError("--max-frame-bytes belongs to --cut");
  if (options.design.empty()) return {};
  NARROWS_TRY(row, Store::findDesign(options.store, options.design));
  NARROWS_TRY(recipe, parseSplitRecipe(row.recipe).within("design " + row.id));
  options.recipe = std::move(recipe);
  return {};
}

Result<Bundle> makeBundle(const SplitOptions& options, const LoadedModel& model,
                          ModelDescription description) {
  if (!options.recipe.bundle.empty()) return readBundle(options.recipe.bundle);
  NARROWS_TRY(made, makeSplit(options, model, description));
  Bundle bundle;
  bundle.name = model.name;
  bundle.plan = std::move(made.plan);
  bundle.pieces = std::move(made.pieces);
  bundle.description = std::move(description);
  return bundle;
}

Status split(SplitOptions& options) {
  NARROWS_CHECK(takeDesign(options));
  if (options.max_frame_bytes != 0 && options.recipe.cut.empty())
    return makeError("--max-frame-bytes belongs to --cut");
  if (options.key_interval != 0 && options.recipe.cut.empty())
    return makeError("--temporal belongs to --cut");
  if (std::filesystem::exists(options.out)) return makeError("{} exists already", options.out);
  NARROWS_TRY(model, loadModel(options.model));
  NARROWS_TRY(description, requireDescription(model));
  if (!options.recipe.model_digest.empty() &&
      options.recipe.model_digest != graphDigest(model.graph)) {
    return makeError("design {} was made for another network or other weights than {}",
                     options.design, options.model.model);
  }
  NARROWS_TRY(bundle, makeBundle(options, model, std::move(description)));
  NARROWS_CHECK(writeBundle(bundle, options.out));
  report(options, bundle);
  return {};
}

}  // namespace

int runSplit(std::span<const std::string> arguments) {
  Arguments parser("split",
                   "Write a bundle: the pieces of a model cut at one place, with their interface.",
                   "narrows split yolo-fastest-1.1-coco.cfg --cut layer24 --bits 4 \\\n"
                   "      --calibration coco128 --calibration-split train2017 --out yolo.narrows\n"
                   "  narrows split yolo-fastest-1.1-coco.cfg --design 3fa9 --out yolo.narrows");
  SplitOptions options;
  options.recipe.engine = defaultEngineName();
  SplitRecipe& recipe = options.recipe;
  CLI::App& app = parser.app();
  addModelOptions(app, options.model);
  app.add_option("--cut", recipe.cut,
                 "Cut at this tensor; \"A+B\" for two (narrows analyze lists them)");
  app.add_option("--picture", recipe.picture,
                 "Cut before the network and send the picture: raw, jpeg or original");
  app.add_flag("--all-on-node", recipe.on_node, "Do not cut: the node computes all");
  app.add_option("--jpeg-quality", recipe.jpeg_quality, "For --picture jpeg")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--quantizer", recipe.quantizer, "uniform, two_level, levels or none")
      ->capture_default_str();
  app.add_option("--bits", recipe.bits, "Width of a uniform quantizer, 1 to 8")
      ->capture_default_str();
  app.add_option("--granularity", recipe.granularity,
                 "One range for the tensor or for each channel")
      ->capture_default_str();
  app.add_option(
      "--coder", recipe.coder,
      "raw, deflate, lzma, zstd or context, with :LEVEL or :max if wanted (default: context, "
      "fitted to the calibration pictures; zstd without a quantizer)");
  app.add_option("--effort", options.effort, "max: the coder's highest level")
      ->check(CLI::IsMember({"normal", "max"}))
      ->capture_default_str();
  app.add_option("--max-frame-bytes", options.max_frame_bytes,
                 "Most bytes of a frame; a longer one is sent with fewer bits, or refused (0: no "
                 "limit)")
      ->capture_default_str();
  app.add_option("--temporal", options.key_interval,
                 "Frames of a stream may refer to earlier ones; at most this many from one that "
                 "stands alone to the next (0: every frame stands alone)")
      ->capture_default_str();
  app.add_option("--calibration", recipe.calibration.path,
                 "Data set or folder of pictures to calibrate with");
  app.add_option("--calibration-split", recipe.calibration.split, "Split of the calibration set");
  app.add_option("--calibration-images", recipe.calibration.pictures,
                 "Pictures to calibrate with, spread over the set (0: all)")
      ->capture_default_str();
  addEngineOption(app, recipe.engine, "Engine that calibrates")->capture_default_str();
  app.add_option("--design", options.design,
                 "A design of narrows explore, by its id or the beginning of it");
  app.add_option("--store", options.store, "With --design: the store that has it")
      ->capture_default_str();
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
