#include "narrows/cli/explore.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>

#include "narrows/base/thread_pool.h"
#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/cut_choice.h"
#include "narrows/cli/deployed_design.h"
#include "narrows/cli/design_pricer.h"
#include "narrows/cli/design_timeline.h"
#include "narrows/cli/end_designs.h"
#include "narrows/cli/exploration_regimes.h"
#include "narrows/cli/exploration_table.h"
#include "narrows/cli/explore_options.h"
#include "narrows/cli/interface_options.h"
#include "narrows/cli/model_source.h"
#include "narrows/cli/output_options.h"
#include "narrows/cli/progress.h"
#include "narrows/cli/tightening_rung.h"
#include "narrows/eval/frame_meter.h"
#include "narrows/explore/split_pricing.h"
#include "narrows/explore/sweep_meter.h"

namespace narrows {
namespace {

std::string hostName() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : "unknown";
}

/// How likely a quantizer costs nothing: rises with its width.
double hopeOf(const QuantizerSpec& spec) {
  constexpr std::array<double, 9> kByBits{0, 0.02, 0.08, 0.25, 0.5, 0.7, 0.85, 0.9, 0.95};
  if (spec.kind == QuantizerKind::none) return 1;
  return kByBits[static_cast<std::size_t>(spec.bits)];
}

/// What measured figures depend on.
std::string contextText(const ExploreCommand& options, const std::string& digest,
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

SplitRecipe recipeOf(const ExploredDesign& design, const ExploreCommand& options,
                     const DesignSpace& space, const std::vector<QuantizerChoice>& quantizers,
                     const std::vector<SplitRecipe>& ends) {
  if (design.end) return ends[*design.end];
  const QuantizerChoice& quantizer = quantizers[design.quantizer];
  SplitRecipe recipe;
  recipe.cut = space.cuts[design.cut];
  recipe.quantizer = quantizer.kind;
  recipe.bits = fmt::format("{}", quantizer.spec.bits);
  recipe.granularity = options.interfaces.granularity;
  recipe.coder = space.coders[design.coder];
  recipe.calibration = options.calibration;
  return recipe;
}

/// Designs of the front, for `split --design`.
Status storeFront(Store& store, const ExplorationDocument& document, const SplitPricer& pricer) {
  std::vector<DesignRow> rows;
  const auto& designs = document.exploration.designs;
  for (std::size_t i = 0; i < designs.size(); ++i) {
    if (!designs[i].on_front) continue;
    const std::string link = designs[i].link ? document.links[*designs[i].link] : "";
    const DesignCost& cost = designs[i].cost;
    const Scores& scores = cost.scores;
    const DesignPromise promise{link,
                                Seconds(at(scores, Objective::latency)),
                                at(scores, Objective::bytes),
                                bytesError(designs[i]).value_or(0),
                                document.baseline.uncut.primary - designs[i].drop.value_or(0),
                                Joules(at(scores, Objective::energy)),
                                latencyError(pricer, cost),
                                cost.node_compute,
                                cost.coding,
                                cost.link,
                                cost.server_compute};
    rows.push_back(
        {designId(document.recipes[i], link), toJson(document.recipes[i]), toJson(promise)});
  }
  return store.putDesigns(rows);
}

Result<SweepOptions> sweepOptions(const ExploreCommand& options,
                                  const std::vector<QuantizerChoice>& quantizers) {
  SweepOptions sweep;
  for (const QuantizerChoice& choice : quantizers) sweep.quantizers.push_back(choice.spec);
  NARROWS_TRY(coders, chooseCoders(options.interfaces));
  sweep.coders = std::move(coders);
  sweep.slow_coder_frames = options.slow_coder_pictures;
  sweep.threads = threadCount(options.threads);
  return sweep;
}

/// The pictures to calibrate with, named outright, so that a recipe says which they are.
CalibrationOptions namedCalibration(const ExploreCommand& options, const CalibrationSet& set) {
  CalibrationOptions calibration = options.calibration;
  if (calibration.path.empty()) calibration.path = options.data.path;
  if (calibration.split.empty()) calibration.split = set.data.split;
  return calibration;
}

Result<ExplorationDocument> explore(ExploreCommand options) {
  const Seconds start = FrameClock::now();
  NARROWS_TRY(goal, parseGoal(options.goal).within("--goal"));
  NARROWS_TRY(explore_options, exploreOptions(options, goal));
  NARROWS_TRY(quantizers, chooseQuantizers(options.interfaces));
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
  document.energy_known = pricer.node().compute_power.has_value();
  for (const Cut& cut : cuts) {
    space.cuts.push_back(cutName(model.graph, cut));
    document.cuts.push_back({space.cuts.back(), joinedShapes(model.graph, cut.values),
                             cut.before.macs, cutElements(model.graph, cut), cut.after.macs});
  }
  for (const QuantizerChoice& choice : quantizers) {
    space.quantizers.push_back(toString(choice.spec));
    space.hopes.push_back(hopeOf(choice.spec));
  }
  for (const CoderParams& coder : sweep_options.coders) space.coders.push_back(coderName(coder));
  space.links = document.links.size();

  SplitPricing pricing(pricer, cuts);
  NARROWS_TRY(ends, makeEnds(options.interfaces.jpeg_quality, pricer, pricing, sweep, store));
  PictureSource calibration_pictures(calibration.data.items, description.preprocessing);
  const SweepMeter::Space measured{cuts, sweep_options.quantizers, sweep_options.coders,
                                   options.coded_pictures};
  SweepMeter meter(sweep, calibration_pictures, measured, space);
  Explorer explorer(space, document.options, meter, pricing, store);
  ProgressBar bar("explore", cuts.size() * quantizers.size(), "interfaces");
  std::size_t shown = 0;
  NARROWS_TRY(exploration, explorer.run(ends.designs, [&](std::size_t decided) {
    bar.advance(decided - shown);
    shown = decided;
  }));
  if (options.train_minutes > 0) {
    const RungSetting rung{&options, &space, &cuts,        &sweep_options.quantizers, &pricing,
                           &store,   &data,  &description, document.options.uncut};
    NARROWS_TRY(trained, tightenChances(rung, exploration));
    std::move(trained.ends.designs.begin(), trained.ends.designs.end(),
              std::back_inserter(ends.designs));
    std::move(trained.ends.recipes.begin(), trained.ends.recipes.end(),
              std::back_inserter(ends.recipes));
    document.trials = std::move(trained.trials);
    // The Pareto set with the trained designs in it; all else is in the store by now.
    Explorer again(space, document.options, meter, pricing, store);
    NARROWS_TRY(whole, again.run(ends.designs));
    whole.count.accuracies_here += exploration.count.accuracies_here;
    whole.count.cuts_coded_here += exploration.count.cuts_coded_here;
    exploration = std::move(whole);
  }
  document.ends = ends.designs;
  document.exploration = std::move(exploration);
  options.calibration = namedCalibration(options, calibration);
  for (const ExploredDesign& design : document.exploration.designs) {
    SplitRecipe recipe = recipeOf(design, options, space, quantizers, ends.recipes);
    recipe.model_digest = digest;
    recipe.engine = options.engine;
    document.recipes.push_back(std::move(recipe));
  }
  NARROWS_CHECK(storeFront(store, document, pricer));
  NARROWS_TRY(times, store.cutTimes());
  NARROWS_CHECK(addTimelines(document, pricer, pricing, times));
  if (options.regimes) {
    NARROWS_CHECK(addRegimes(document, setting, model.graph, cuts, times));
    document.sensitivities = sensitivities(document);
  }
  document.elapsed = FrameClock::now() - start;
  return document;
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
      "--max-drop 1 --max-node-mb 64 --goal energy=2,latency=1\n"
      "  narrows explore bccd.onnx --data bccd-voc --split val --device raspberry-pi4 --bits 1,2 "
      "--train-budget 30");
  ExploreCommand options;
  addExploreOptions(parser.app(), options);
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run)
    return Arguments::exitCode(outcome);
  if (options.cost.links.empty()) options.cost.links = {"wifi"};
  const auto document = explore(options);
  if (!document.ok()) return reportFailure("explore", document.error());
  fmt::print("{}", formatExploration(*document, options.output.format()));
  return kExitOk;
}

}  // namespace narrows
