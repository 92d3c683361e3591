#include "narrows/cli/tightening_rung.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "narrows/base/file.h"
#include "narrows/bundle/sha256.h"
#include "narrows/cli/child_process.h"
#include "narrows/cli/interface_options.h"
#include "narrows/cli/label_loss.h"
#include "narrows/eval/frame_meter.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

/// What was measured of a trained group.
struct TrainedPoint {
  double percent = 0;
  double bytes = 0;
};

class Rung {
 public:
  Rung(const RungSetting& setting, const Exploration& exploration)
      : setting_(setting), exploration_(exploration) {}

  Result<TrainedDesigns> run() {
    const ExploreCommand& command = *setting_.command;
    if (command.train_split == setting_.data->split) {
      return makeError("--train-split: \"{}\" is what designs are scored on; give another split",
                       command.train_split);
    }
    folder_ = command.store + ".trained";
    std::error_code error;
    fs::create_directories(folder_, error);
    if (error) return makeError("{}: cannot be made", folder_.string());
    HalvingOptions options;
    options.first_epochs = command.train_epochs;
    options.budget = Seconds(command.train_minutes * 60);
    options.enough = command.tolerance;
    NARROWS_TRY(trials, halve(exploration_.chances.size(), options,
                              [&](std::size_t chance, std::size_t epochs) {
                                return trial(chance, epochs);
                              }));
    made_.trials = std::move(trials);
    return std::move(made_);
  }

 private:
  Result<Trial> trial(std::size_t chance, std::size_t epochs) {
    const Seconds start = FrameClock::now();
    const TrainingChance& at = exploration_.chances[chance];
    const std::string name = nameOf(at, epochs);
    const std::string& quantizer = setting_.space->quantizers[at.quantizer];
    const std::string text = fmt::format("{} {}, {}", setting_.store->context(), name, quantizer);
    const fs::path bundle = folder_ / (sha256(asBytes(text)).substr(0, 16) + ".narrows");
    NARROWS_TRY(stored, fromStore(name, at));
    TrainedPoint point = stored.value_or(TrainedPoint());
    if (!stored || !fs::exists(bundle)) {
      NARROWS_TRY(trained, train(at, epochs, bundle));
      point = std::move(trained);
      NARROWS_CHECK(toStore(name, at, point));
    }
    NARROWS_CHECK(addDesigns(name, at, point, bundle));
    return Trial{chance, epochs, setting_.uncut - point.percent, FrameClock::now() - start};
  }

  /// All that the weights depend on beside the store's context and the quantizer.
  std::string nameOf(const TrainingChance& at, std::size_t epochs) const {
    const ExploreCommand& command = *setting_.command;
    return fmt::format(
        "{} trained for {} epochs{} (seed {}, {}, batch {}, rate {})", setting_.space->cuts[at.cut],
        epochs,
        command.train_recover > 0 ? fmt::format(" and {} blocks", command.train_recover) : "",
        command.model.seed, command.train_split, command.train_batch, command.train_rate);
  }

  Result<std::optional<TrainedPoint>> fromStore(const std::string& name, const TrainingChance& at) {
    const std::string& quantizer = setting_.space->quantizers[at.quantizer];
    std::optional<TrainedPoint> point;
    NARROWS_TRY(rows, setting_.store->accuracies());
    for (const AccuracyRow& row : rows) {
      if (row.cut == name && row.quantizer == quantizer) point = TrainedPoint{row.primary, 0};
    }
    if (!point) return point;
    NARROWS_TRY(frames, setting_.store->frames());
    for (const FrameRow& row : frames) {
      if (row.cut == name && row.quantizer == quantizer) point->bytes = row.mean_bytes;
    }
    return point;
  }

  Status toStore(const std::string& name, const TrainingChance& at, const TrainedPoint& point) {
    FrameRow frame = frameOf(at);
    frame.cut = name;
    frame.mean_bytes = point.bytes;
    NARROWS_TRY(times, timesOf(at));
    NARROWS_CHECK(setting_.store->addFrames(name, times, {frame}));
    return setting_.store->addAccuracy({name, frame.quantizer, point.percent, 0});
  }

  Result<CutTimes> timesOf(const TrainingChance& at) {
    NARROWS_TRY(times, setting_.store->cutTimes());
    const auto found = times.find(setting_.space->cuts[at.cut]);
    return found == times.end() ? CutTimes() : found->second;
  }

  /// The group's frames under the context coder, which trained bundles have: coding times do not
  /// depend on the weights.
  FrameRow frameOf(const TrainingChance& at) const {
    FrameRow found;
    for (const ExploredDesign& design : exploration_.designs) {
      if (design.end || design.cut != at.cut || design.quantizer != at.quantizer) continue;
      if (design.frame && design.frame->coder.starts_with("context")) return *design.frame;
      if (design.frame) found = *design.frame;
    }
    return found;
  }

  Result<TrainedPoint> train(const TrainingChance& at, std::size_t epochs, const fs::path& bundle) {
    const ExploreCommand& command = *setting_.command;
    const QuantizerSpec& quantizer = (*setting_.quantizers)[at.quantizer];
    std::vector<std::string> words = {"tighten",
                                      "--cut",
                                      setting_.space->cuts[at.cut],
                                      "--bits",
                                      std::to_string(quantizer.bits),
                                      "--quantizer",
                                      std::string(toString(quantizer.kind)),
                                      "--granularity",
                                      command.interfaces.granularity,
                                      "--data",
                                      command.data.path,
                                      "--split",
                                      command.train_split,
                                      "--validation-split",
                                      setting_.data->split,
                                      "--validation-limit",
                                      std::to_string(command.data.limit),
                                      "--epochs",
                                      std::to_string(epochs),
                                      "--batch",
                                      std::to_string(command.train_batch),
                                      "--rate",
                                      fmt::format("{}", command.train_rate),
                                      "--engine",
                                      command.engine,
                                      "--json",
                                      "--out",
                                      bundle.string()};
    const auto add = [&](const char* option, const std::string& value) {
      if (value.empty()) return;
      words.emplace_back(option);
      words.push_back(value);
    };
    const std::vector<std::string> model = modelArguments(command.model);
    words.insert(words.end(), model.begin(), model.end());
    if (setting_.data->truth == TruthKind::none || !hasLabelLoss(setting_.description->head.kind)) {
      add("--teacher", command.model.model);
      add("--teacher-weights", command.model.weights);
      words.emplace_back("--no-labels");
    }
    if (command.train_recover > 0) {
      add("--recover", std::to_string(command.train_recover));
      add("--recover-epochs", std::to_string(epochs));
    }
    NARROWS_TRY(own, ownProgram());
    NARROWS_TRY(folder, TemporaryDirectory::create("narrows-rung"));
    const fs::path output = folder.path() / "rows.json";
    // A bundle without its rows in the store is of a run that was stopped between the two.
    std::error_code ignored;
    fs::remove(bundle, ignored);
    NARROWS_TRY(child, ChildProcess::start(own, words, output.string()));
    NARROWS_TRY(code, child.wait());
    if (code != 0) return makeError("narrows tighten at {} failed", setting_.space->cuts[at.cut]);
    constexpr std::size_t kMostBytes = std::size_t{1} << 20;
    NARROWS_TRY(text, readFile(output, kMostBytes));
    const auto rows = nlohmann::json::parse(asText(text), nullptr, false);
    if (!rows.is_array() || rows.empty() || !rows.back().is_object() ||
        !rows.back().value("accuracy_percent", nlohmann::json()).is_number() ||
        !rows.back().value("mean_bytes", nlohmann::json()).is_number()) {
      return makeError("narrows tighten: expected rows with accuracy_percent and mean_bytes");
    }
    TrainedPoint point;
    point.percent = rows.back()["accuracy_percent"].get<double>();
    point.bytes = rows.back()["mean_bytes"].get<double>();
    return point;
  }

  Status addDesigns(const std::string& name, const TrainingChance& at, const TrainedPoint& point,
                    const fs::path& bundle) {
    NARROWS_TRY(times, timesOf(at));
    const FrameRow frame = frameOf(at);
    NARROWS_TRY(costs, setting_.pricing->price(at.cut, times, Bytes(point.bytes), frame.encode_time,
                                               frame.decode_time));
    for (std::size_t link = 0; link < costs.size(); ++link) {
      made_.ends.designs.push_back({fmt::format("{}, {}", name, frame.quantizer), link, costs[link],
                                    setting_.uncut - point.percent, frame.encode_time,
                                    frame.decode_time, at.cut});
      SplitRecipe& recipe = made_.ends.recipes.emplace_back();
      recipe.bundle = fs::absolute(bundle).string();
    }
    return {};
  }

  const RungSetting& setting_;
  const Exploration& exploration_;
  fs::path folder_;
  TrainedDesigns made_;
};

}  // namespace

Result<TrainedDesigns> tightenChances(const RungSetting& setting, const Exploration& exploration) {
  return Rung(setting, exploration).run();
}

}  // namespace narrows
