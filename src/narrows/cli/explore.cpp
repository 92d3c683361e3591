#include "narrows/cli/explore.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "narrows/base/thread_pool.h"
#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/cut_choice.h"
#include "narrows/cli/design_pricer.h"
#include "narrows/cli/exploration_table.h"
#include "narrows/cli/interface_options.h"
#include "narrows/cli/model_source.h"
#include "narrows/cli/output_options.h"
#include "narrows/cli/progress.h"
#include "narrows/codec/frame.h"
#include "narrows/eval/frame_meter.h"
#include "narrows/explore/split_pricing.h"
#include "narrows/explore/sweep_meter.h"

namespace narrows {
namespace {

/// A quantizer, say uniform, with what makes it one of several.
struct QuantizerChoice {
  std::string kind;
  QuantizerSpec spec;
};

struct CommandOptions {
  ModelOptions model;
  DataSourceOptions data;
  CalibrationOptions calibration;
  std::vector<std::string> cuts;
  std::size_t tensors = 1;
  std::string bits = "1-8";
  std::vector<std::string> quantizers{"uniform", "two_level"};
  std::string granularity = "channel";
  std::vector<std::string> coders{"raw", "deflate", "lzma", "zstd", "context"};
  std::size_t coded_pictures = 4;
  std::size_t slow_coder_pictures = 1;
  int jpeg_quality = 90;
  bool agreement = false;
  std::vector<std::string> objectives{"energy", "latency", "bytes"};
  std::string goal;
  double max_drop = 3;
  double tolerance = 0.5;
  double max_latency_ms = DesignBounds::kNone;
  double max_node_mj = DesignBounds::kNone;
  double max_bytes = DesignBounds::kNone;
  double max_node_mb = DesignBounds::kNone;
  bool each_link = false;
  bool exhaustive = false;
  bool regimes = false;
  std::string store{kStandardStore};
  std::string engine{defaultEngineName()};
  std::size_t threads = 0;
  CostOptions cost;
  OutputOptions output;
};

/// Name of the ends in the store's rows.
constexpr std::string_view kPicture = "(picture)";

std::string hostName() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : "unknown";
}

Result<std::vector<QuantizerChoice>> chooseQuantizers(const CommandOptions& options) {
  std::vector<QuantizerChoice> choices;
  for (const std::string& kind : options.quantizers) {
    NARROWS_TRY(specs, makeQuantizers(kind, options.bits, options.granularity));
    for (const QuantizerSpec& spec : specs) choices.push_back({kind, spec});
  }
  return choices;
}

/// "energy" or "energy=2,latency=1".
Result<std::vector<std::pair<Objective, double>>> parseGoal(const std::string& text) {
  std::vector<std::pair<Objective, double>> goal;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string part = text.substr(start, end - start);
    const std::size_t sign = std::min(part.find('='), part.size());
    NARROWS_TRY(objective, parseObjective(part.substr(0, sign)));
    double weight = 1;
    if (sign < part.size()) {
      const char* last = part.data() + part.size();
      const auto [stop, error] = std::from_chars(part.data() + sign + 1, last, weight);
      if (error != std::errc() || stop != last || !(weight > 0) || !std::isfinite(weight))
        return makeError("\"{}\": expected a weight above 0", part);
    }
    goal.emplace_back(objective, weight);
    start = end + 1;
  }
  return goal;
}

Result<ExploreOptions> exploreOptions(const CommandOptions& options,
                                      const std::vector<std::pair<Objective, double>>& goal) {
  ExploreOptions explore;
  explore.objectives = {Objective::drop};
  const auto add = [&](Objective objective) {
    for (Objective known : explore.objectives) {
      if (known == objective) return;
    }
    explore.objectives.push_back(objective);
  };
  for (const std::string& name : options.objectives) {
    NARROWS_TRY(objective, parseObjective(name).within("--objective"));
    add(objective);
  }
  for (const auto& [objective, weight] : goal) add(objective);
  explore.bounds.drop = options.max_drop;
  explore.bounds.latency = options.max_latency_ms / 1e3;
  explore.bounds.energy = options.max_node_mj / 1e3;
  explore.bounds.bytes = options.max_bytes;
  explore.bounds.memory = options.max_node_mb * 1e6;
  explore.tolerance = options.tolerance;
  explore.each_link = options.each_link;
  explore.exhaustive = options.exhaustive;
  return explore;
}

/// How likely a quantizer costs nothing: rises with its width.
double hopeOf(const QuantizerSpec& spec) {
  constexpr std::array<double, 9> kByBits{0, 0.02, 0.08, 0.25, 0.5, 0.7, 0.85, 0.9, 0.95};
  if (spec.kind == QuantizerKind::none) return 1;
  return kByBits[static_cast<std::size_t>(spec.bits)];
}

/// What measured figures depend on.
std::string contextText(const CommandOptions& options, const std::string& digest,
                        const DataSet& data, const CalibrationSet& calibration) {
  nlohmann::ordered_json context;
  context["model"] = digest;
  for (const DataItem& item : data.items) context["pictures"].push_back(item.image.string());
  for (const DataItem& item : calibration.data.items)
    context["calibration"].push_back(item.image.string());
  context["truth"] = data.truth != TruthKind::none;
  context["coded_pictures"] = options.coded_pictures;
  context["slow_coder_pictures"] = options.slow_coder_pictures;
  context["engine"] = options.engine;
  context["version"] = NARROWS_VERSION;
  return context.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

/// What a later run must find as it was, or its designs would compare differently.
struct EndFigures {
  Seconds uncut_time;
  double jpeg_bytes = 0;
  Seconds jpeg_encode;
  double jpeg_percent = 0;
};

/// From the store, or measured and stored.
Result<EndFigures> measureEnds(int jpeg_quality, Sweep& sweep, Store& store) {
  const std::string cut(kPicture);
  const std::string quantizer = fmt::format("JPEG {}", jpeg_quality);
  const auto known = [&]() -> Result<std::optional<EndFigures>> {
    EndFigures figures;
    bool coded = false;
    bool scored = false;
    NARROWS_TRY(times, store.cutTimes());
    if (const auto found = times.find(cut); found != times.end())
      figures.uncut_time = found->second.server;
    NARROWS_TRY(frames, store.frames());
    for (const FrameRow& row : frames) {
      if (row.cut != cut || row.quantizer != quantizer) continue;
      figures.jpeg_bytes = row.mean_bytes;
      figures.jpeg_encode = row.encode_time;
      coded = true;
    }
    NARROWS_TRY(accuracies, store.accuracies());
    for (const AccuracyRow& row : accuracies) {
      if (row.cut != cut || row.quantizer != quantizer) continue;
      figures.jpeg_percent = row.primary;
      scored = true;
    }
    if (!coded || !scored) return std::optional<EndFigures>();
    return std::optional(figures);
  };
  NARROWS_TRY(stored, known());
  if (stored) return *stored;
  NARROWS_TRY(jpeg, sweep.measureImage({ImageCoding::jpeg, jpeg_quality}));
  const Seconds uncut = sweep.baseline().uncut_time;
  NARROWS_CHECK(store.addFrames(cut, {uncut, uncut},
                                {{cut,
                                  quantizer,
                                  "jpeg",
                                  static_cast<std::int64_t>(sweep.baseline().pictures),
                                  jpeg.mean_bytes,
                                  0,
                                  static_cast<std::int64_t>(jpeg.worst_bytes),
                                  jpeg.encode_time,
                                  {}}}));
  NARROWS_CHECK(
      store.addAccuracy({cut, quantizer, jpeg.accuracy.primary, jpeg.accuracy.secondary}));
  // As the store has it: what another run wrote first stays.
  NARROWS_TRY(now, known());
  if (!now) return makeError("the store lost {}", quantizer);
  return *now;
}

/// Everything on one side. The drop of a design that loses nothing is 0 by construction.
Result<std::vector<EndDesign>> makeEnds(const CommandOptions& options, const SplitPricer& pricer,
                                        const SplitPricing& pricing, Sweep& sweep, Store& store,
                                        std::vector<SplitRecipe>& recipes) {
  const SweepBaseline& baseline = sweep.baseline();
  NARROWS_TRY(figures, measureEnds(options.jpeg_quality, sweep, store));
  std::vector<EndDesign> ends;
  NARROWS_TRY(on_node, pricer.onNode({figures.uncut_time, {}}));
  ends.push_back({"(all on node)", std::nullopt, pricing.costOf(on_node[0], {}, {}, {}), 0, {}});
  recipes.emplace_back().on_node = true;
  const auto header = static_cast<double>(kFrameHeaderBytes);
  struct Picture {
    std::string name;
    ImageInterface interface;
    double bytes;
    Seconds encode;
    double drop;
  };
  const std::array<Picture, 3> pictures{
      Picture{"(all on server, 8-bit samples)",
              {ImageCoding::raw, 100},
              static_cast<double>(baseline.raw_image_bytes) + header,
              {},
              0},
      Picture{"(all on server, file as it is)",
              {ImageCoding::original, 100},
              baseline.file_bytes + header,
              {},
              0},
      Picture{fmt::format("(all on server, JPEG {})", options.jpeg_quality),
              {ImageCoding::jpeg, options.jpeg_quality},
              figures.jpeg_bytes,
              figures.jpeg_encode,
              baseline.uncut.primary - figures.jpeg_percent}};
  for (const Picture& picture : pictures) {
    NARROWS_TRY(links, pricer.forPicture(picture.interface, {{}, figures.uncut_time}));
    for (std::size_t link = 0; link < links.size(); ++link) {
      ends.push_back({picture.name, link,
                      pricing.costOf(links[link], Bytes(picture.bytes), picture.encode, {}),
                      picture.drop, picture.encode});
      SplitRecipe& recipe = recipes.emplace_back();
      recipe.picture = toString(picture.interface.coding);
      recipe.jpeg_quality = picture.interface.quality;
    }
  }
  return ends;
}

SplitRecipe recipeOf(const ExploredDesign& design, const CommandOptions& options,
                     const DesignSpace& space, const std::vector<QuantizerChoice>& quantizers,
                     const std::vector<SplitRecipe>& ends) {
  if (design.end) return ends[*design.end];
  const QuantizerChoice& quantizer = quantizers[design.quantizer];
  SplitRecipe recipe;
  recipe.cut = space.cuts[design.cut];
  recipe.quantizer = quantizer.kind;
  recipe.bits = fmt::format("{}", quantizer.spec.bits);
  recipe.granularity = options.granularity;
  recipe.coder = space.coders[design.coder];
  recipe.calibration = options.calibration;
  return recipe;
}

/// Designs of the front, for `split --design`.
Status storeFront(Store& store, const ExplorationDocument& document) {
  std::vector<DesignRow> rows;
  const auto& designs = document.exploration.designs;
  for (std::size_t i = 0; i < designs.size(); ++i) {
    if (!designs[i].on_front) continue;
    const std::string link = designs[i].link ? document.links[*designs[i].link] : "";
    const nlohmann::ordered_json figures{
        {"link", link},
        {"latency_s", at(designs[i].cost.scores, Objective::latency)},
        {"node_j", at(designs[i].cost.scores, Objective::energy)},
        {"bytes", at(designs[i].cost.scores, Objective::bytes)},
        {"drop_points", designs[i].drop.value_or(0)},
        {"accuracy_percent", document.baseline.uncut.primary - designs[i].drop.value_or(0)}};
    rows.push_back(
        {designId(document.recipes[i], link), toJson(document.recipes[i]),
         figures.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)});
  }
  return store.putDesigns(rows);
}

Result<SweepOptions> sweepOptions(const CommandOptions& options,
                                  const std::vector<QuantizerChoice>& quantizers) {
  SweepOptions sweep;
  for (const QuantizerChoice& choice : quantizers) sweep.quantizers.push_back(choice.spec);
  for (const std::string& name : options.coders) {
    NARROWS_TRY(coder, parseCoder(name));
    sweep.coders.push_back(coder);
  }
  sweep.slow_coder_frames = options.slow_coder_pictures;
  sweep.threads = options.threads != 0 ? options.threads : hardwareThreads();
  return sweep;
}

/// The pictures to calibrate with, named outright, so that a recipe says which they are.
CalibrationOptions namedCalibration(const CommandOptions& options, const CalibrationSet& set) {
  CalibrationOptions calibration = options.calibration;
  if (calibration.path.empty()) calibration.path = options.data.path;
  if (calibration.split.empty()) calibration.split = set.data.split;
  return calibration;
}

/// Maps for latency and energy over the first link, of all designs whose drop is known and allowed.
Status addRegimes(ExplorationDocument& document, const SplitSetting& setting, const Graph& graph,
                  const std::vector<Cut>& cuts, const std::map<std::string, CutTimes>& times) {
  std::vector<PricedDesign> designs;
  for (const ExploredDesign& design : document.exploration.designs) {
    if (!design.drop || *design.drop > document.options.bounds.drop) continue;
    if (design.link && *design.link != 0) continue;
    PricedDesign priced;
    std::string label;
    if (design.end) {
      const EndDesign& end = document.ends[*design.end];
      const auto uncut = times.find(std::string(kPicture));
      NARROWS_ASSERT(uncut != times.end());
      priced.times = {uncut->second.server, uncut->second.server};
      if (design.link) {
        priced.picture = ImageInterface{};
        priced.bytes = Bytes(at(end.cost.scores, Objective::bytes));
        priced.encode = end.encode_time;
      }
      label = end.name;
    } else {
      const CutTimes& measured = times.at(document.space.cuts[design.cut]);
      priced.cut = design.cut;
      priced.bytes = Bytes(design.frame->mean_bytes);
      priced.encode = design.frame->encode_time;
      priced.decode = design.frame->decode_time;
      priced.times = {measured.node, measured.server};
      label = fmt::format("{}, {}, {}", document.space.cuts[design.cut],
                          document.space.quantizers[design.quantizer],
                          document.space.coders[design.coder]);
    }
    designs.push_back(priced);
    document.regime_labels.push_back(std::move(label));
  }
  const Regimes regimes(graph, cuts, designs);
  for (Objective objective : document.options.objectives) {
    if (objective != Objective::latency && objective != Objective::energy) continue;
    NARROWS_TRY(map, makeRegimeMap(regimes, setting, objective));
    document.regimes.push_back(std::move(map));
  }
  return {};
}

Result<ExplorationDocument> explore(CommandOptions options) {
  const Seconds start = FrameClock::now();
  NARROWS_TRY(goal, parseGoal(options.goal).within("--goal"));
  NARROWS_TRY(explore_options, exploreOptions(options, goal));
  NARROWS_TRY(quantizers, chooseQuantizers(options));
  NARROWS_TRY(sweep_options, sweepOptions(options, quantizers));
  NARROWS_TRY(model, loadModel(options.model));
  NARROWS_TRY(description, requireDescription(model));
  NARROWS_TRY(setting, readSetting(options.cost));
  NARROWS_TRY(pricer, SplitPricer::create(setting, model.graph));
  NARROWS_TRY(cuts, chooseCuts(model.graph, options.cuts, options.tensors));
  NARROWS_TRY(data, openData(options.data, description));
  if (options.agreement || model.untrained) data.truth = TruthKind::none;
  NARROWS_TRY(calibration, openCalibration(options.calibration, options.data, description));
  NARROWS_TRY(engine, makeEngine(options.engine));
  const std::string digest = graphDigest(model.graph);
  NARROWS_TRY(store, Store::open(options.store, contextText(options, digest, data, calibration),
                                 {NARROWS_VERSION, hostName(), options.model.seed}));
  NARROWS_TRY(sweep, Sweep::create(*engine, model.graph, description, data, sweep_options));

  ExplorationDocument document;
  document.model = options.model.model;
  document.untrained = model.untrained;
  document.data = options.data.path + (data.split.empty() ? "" : " (" + data.split + ")");
  document.calibration =
      fmt::format("{} pictures of {}", calibration.data.items.size(), calibration.origin);
  document.store = options.store;
  document.seed = options.model.seed;
  document.coded_pictures = options.coded_pictures;
  document.baseline = sweep.baseline();
  document.options = explore_options;
  document.options.uncut = document.baseline.uncut.primary;
  document.goal = goal;
  for (const LinkModel& link : pricer.links()) document.links.push_back(link.name);
  DesignSpace& space = document.space;
  document.node = pricer.node().name;
  document.server = pricer.server().name;
  for (const Cut& cut : cuts) {
    space.cuts.push_back(cutName(model.graph, cut));
    std::string shape;
    for (ValueId value : cut.values)
      shape += (shape.empty() ? "" : " + ") + toString(model.graph.shape(value));
    document.cuts.push_back(
        {space.cuts.back(), shape, cut.before.macs, cutElements(model.graph, cut)});
  }
  for (const QuantizerChoice& choice : quantizers) {
    space.quantizers.push_back(toString(choice.spec));
    space.hopes.push_back(hopeOf(choice.spec));
  }
  for (const CoderParams& coder : sweep_options.coders) space.coders.push_back(coderName(coder));
  space.links = document.links.size();

  SplitPricing pricing(pricer, cuts);
  std::vector<SplitRecipe> end_recipes;
  NARROWS_TRY(ends, makeEnds(options, pricer, pricing, sweep, store, end_recipes));
  document.ends = ends;
  PictureSource calibration_pictures(calibration.data.items, description.preprocessing);
  const SweepMeter::Space measured{cuts, sweep_options.quantizers, sweep_options.coders,
                                   options.coded_pictures};
  SweepMeter meter(sweep, calibration_pictures, measured, space);
  Explorer explorer(space, document.options, meter, pricing, store);
  ProgressBar bar("explore", cuts.size() * quantizers.size(), "interfaces");
  std::size_t shown = 0;
  NARROWS_TRY(exploration, explorer.run(ends, [&](std::size_t decided) {
    bar.advance(decided - shown);
    shown = decided;
  }));
  document.exploration = std::move(exploration);
  options.calibration = namedCalibration(options, calibration);
  for (const ExploredDesign& design : document.exploration.designs) {
    SplitRecipe recipe = recipeOf(design, options, space, quantizers, end_recipes);
    recipe.model_digest = digest;
    recipe.engine = options.engine;
    document.recipes.push_back(std::move(recipe));
  }
  NARROWS_CHECK(storeFront(store, document));
  if (options.regimes) {
    NARROWS_TRY(times, store.cutTimes());
    NARROWS_CHECK(addRegimes(document, setting, model.graph, cuts, times));
  }
  document.elapsed = FrameClock::now() - start;
  return document;
}

void addSpaceOptions(CLI::App& app, CommandOptions& options) {
  addCutOptions(app, options.cuts, options.tensors);
  app.add_option("--bits", options.bits, "Widths: 4, 1-8 or 1,2,4")->capture_default_str();
  app.add_option("--quantizer", options.quantizers, "uniform, two_level or none; may be repeated")
      ->capture_default_str();
  app.add_option("--granularity", options.granularity,
                 "One range for the tensor or for each channel")
      ->capture_default_str();
  app.add_option(
         "--coder", options.coders,
         "raw, deflate, lzma, zstd or context, with :LEVEL or :max if wanted; may be repeated")
      ->capture_default_str();
  app.add_option("--coded-pictures", options.coded_pictures,
                 "Pictures whose frames are coded, spread over the set (0: all)")
      ->capture_default_str();
  app.add_option("--slow-coder-pictures", options.slow_coder_pictures,
                 "Of them, those that lzma and context:max code (0: all)")
      ->capture_default_str();
  app.add_option("--jpeg-quality", options.jpeg_quality, "Of the picture sent as JPEG")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
}

void addGoalOptions(CLI::App& app, CommandOptions& options) {
  app.add_option("--objective", options.objectives,
                 "What the Pareto set is over, beside the drop: energy, latency, bytes, "
                 "throughput; may be repeated")
      ->capture_default_str();
  app.add_option("--goal", options.goal,
                 "Name the best design for this: one objective, or a mix such as "
                 "energy=2,latency=1 (default: each objective)");
  app.add_option("--max-drop", options.max_drop, "Points that a design may lose")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--tolerance", options.tolerance, "Drops up to so many points count as none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--max-latency-ms", options.max_latency_ms, "From picture to answer")
      ->check(CLI::PositiveNumber);
  app.add_option("--max-node-mj", options.max_node_mj, "Energy of the node for a picture")
      ->check(CLI::PositiveNumber);
  app.add_option("--max-bytes", options.max_bytes, "On the link for a picture")
      ->check(CLI::PositiveNumber);
  app.add_option("--max-node-mb", options.max_node_mb, "Weights and activations of the node")
      ->check(CLI::PositiveNumber);
  app.add_flag("--each-link", options.each_link, "A Pareto set for each link");
  app.add_flag(
      "--regimes", options.regimes,
      "Also show which design wins for other link rates and node speeds, and what the best "
      "one hangs on");
  app.add_flag("--exhaustive", options.exhaustive,
               "Measure every accuracy; the Pareto set stays the same");
}

}  // namespace

int runExplore(std::span<const std::string> arguments) {
  Arguments parser(
      "explore",
      "Find the designs worth having: cuts x bits x coders x links that nothing beats in drop, "
      "energy, latency and bytes. What is measured is kept in a store; an interrupted run goes on "
      "where it was.",
      "narrows explore yolo-fastest-1.1-coco.cfg --data coco128 --device raspberry-pi4 "
      "--link wifi --link ble5\n"
      "  narrows explore model.onnx --data pictures/ --device MY-BOARD.toml --link 2Mbit/s "
      "--max-drop 1 --max-node-mb 64 --goal energy=2,latency=1");
  CommandOptions options;
  options.cost.server = "gpu-server";
  CLI::App& app = parser.app();
  addModelOptions(app, options.model);
  addDataOptions(app, options.data, true);
  addCalibrationOptions(app, options.calibration);
  addSpaceOptions(app, options);
  addGoalOptions(app, options);
  app.add_flag("--agreement", options.agreement,
               "Score the agreement with the uncut network, also where the data has truth");
  app.add_option("--store", options.store, "SQLite file with all that was measured")
      ->capture_default_str();
  app.add_option("--engine", options.engine, "Inference engine")->capture_default_str();
  app.add_option("--threads", options.threads, "Pictures in parallel (0: one per core)")
      ->capture_default_str();
  addCostOptions(app, options.cost);
  addOutputOptions(app, options.output);
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run)
    return Arguments::exitCode(outcome);
  if (options.cost.links.empty()) options.cost.links = {"wifi"};
  const auto document = explore(options);
  if (!document.ok()) return reportFailure("explore", document.error());
  fmt::print("{}", formatExploration(*document, options.output.format()));
  return kExitOk;
}

}  // namespace narrows
