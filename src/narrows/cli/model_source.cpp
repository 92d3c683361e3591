#include "narrows/cli/model_source.h"

#include <cstdlib>
#include <filesystem>

#include "narrows/base/file.h"
#include "narrows/formats/darknet_reader.h"
#include "narrows/formats/model_file.h"
#include "narrows/graph/passes.h"
#include "narrows/zoo/zoo.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kZooPrefix = "zoo:";

struct RawModel {
  std::string name;
  Graph graph;
  std::optional<ModelDescription> description;
  std::string description_origin;
  bool untrained = false;
};

/// Folder of the descriptions that come with narrows.
fs::path shippedDescriptions() {
  const char* configured = std::getenv("NARROWS_MODELS");
  return configured != nullptr ? fs::path(configured)
                               : fs::path(NARROWS_SHARE_DIR) / "examples" / "models";
}

HeadKind headKind(DarknetHeadKind kind) {
  return kind == DarknetHeadKind::yolo ? HeadKind::yolov3 : HeadKind::yolov2;
}

/// What the sections of a .cfg say: Darknet stretches, RGB, 0..1.
std::optional<ModelDescription> describe(const DarknetModel& model, const std::string& name) {
  ModelDescription description;
  description.name = name;
  description.preprocessing.width = model.width;
  description.preprocessing.height = model.height;
  Head& head = description.head;
  if (model.heads.empty()) {
    const Shape& output = model.graph.shape(model.graph.outputs()[0]);
    head.kind = HeadKind::classification;
    head.classes = output.rank() > 1 ? output[1] : output.elements();
    const Value& value = model.graph.value(model.graph.outputs()[0]);
    // A [softmax] section leaves probabilities, which must not pass another one.
    head.softmax = !value.producer.valid() ||
                   !std::holds_alternative<Softmax>(model.graph.node(value.producer).op);
    return description;
  }
  head.kind = headKind(model.heads[0].kind);
  head.classes = model.heads[0].classes;
  for (const DarknetHead& section : model.heads) {
    // Heads of two kinds or class lists have no common description.
    if (headKind(section.kind) != head.kind || section.classes != head.classes) return std::nullopt;
    head.outputs.push_back(section.output);
    auto& anchors = head.anchors.emplace_back();
    for (const DarknetHead::Anchor& anchor : section.anchors)
      anchors.push_back({anchor.width, anchor.height});
    head.scale_xy.push_back(section.scale_x_y);
  }
  if (head.kind == HeadKind::yolov2) {
    head.scale_xy.clear();
    head.softmax = model.heads[0].softmax;
  }
  return description;
}

HeadKind headKind(ZooHead head) {
  switch (head) {
    case ZooHead::yolov2:
      return HeadKind::yolov2;
    case ZooHead::yolov3:
      return HeadKind::yolov3;
    case ZooHead::yolov10:
      return HeadKind::yolov10;
    case ZooHead::classification:
      break;
  }
  return HeadKind::classification;
}

ResizeRule resizeRule(ZooPicture::Fit fit) {
  switch (fit) {
    case ZooPicture::Fit::letterbox:
      return ResizeRule::letterbox;
    case ZooPicture::Fit::crop:
      return ResizeRule::crop;
    case ZooPicture::Fit::stretch:
      break;
  }
  return ResizeRule::stretch;
}

ModelDescription describe(const ZooModel& model) {
  ModelDescription description;
  description.name = model.name;
  Preprocessing& input = description.preprocessing;
  input.width = model.size;
  input.height = model.size;
  input.rule = resizeRule(model.picture.fit);
  input.resize_to = model.picture.resize_to;
  input.mean = model.picture.mean;
  input.scale = model.picture.scale;
  Head& head = description.head;
  head.kind = headKind(model.head);
  head.classes = model.classes;
  head.softmax = !model.probabilities;
  head.strides = model.strides;
  for (const auto& list : model.anchors) {
    auto& anchors = head.anchors.emplace_back();
    for (const ZooAnchor& anchor : list) anchors.push_back({anchor.width, anchor.height});
  }
  return description;
}

Result<RawModel> readDarknetModel(const ModelOptions& options) {
  const fs::path cfg = options.model;
  fs::path weights = options.weights;
  if (weights.empty()) weights = fs::path(cfg).replace_extension(".weights");
  const bool untrained = options.weights.empty() && !fs::exists(weights);
  DarknetRandomWeights random;
  random.seed = options.seed;
  random.elements = !options.types_only;
  auto model = untrained ? readDarknet(cfg, random) : readDarknet(cfg, weights);
  if (!model.ok()) return model.takeError();
  RawModel raw;
  raw.name = cfg.stem().string();
  raw.description = describe(*model, raw.name);
  raw.description_origin = cfg.string();
  raw.graph = std::move(model->graph);
  raw.untrained = untrained;
  return raw;
}

Result<RawModel> readRawModel(const ModelOptions& options) {
  RawModel raw;
  if (options.model.starts_with(kZooPrefix)) {
    NARROWS_TRY(zoo, buildZooModel(options.model, options.seed, !options.types_only));
    raw.name = options.model;
    raw.description = describe(zoo);
    raw.graph = std::move(zoo.graph);
    raw.description_origin = options.model;
    raw.untrained = true;
    return raw;
  }
  if (fs::path(options.model).extension() == ".cfg") return readDarknetModel(options);
  if (!options.weights.empty())
    return makeError("--weights belongs to a .cfg, {} is none", options.model);
  NARROWS_TRY(graph, readModel(options.model));
  raw.graph = std::move(graph);
  raw.name = fs::path(options.model).stem().string();
  return raw;
}

Result<ModelDescription> readDescription(const fs::path& path) {
  NARROWS_TRY(text, readTextFile(path));
  return parseDescription(text, path.string());
}

/// Files that may describe the model, first found first used.
std::vector<fs::path> descriptionCandidates(const ModelOptions& options) {
  if (options.model.starts_with(kZooPrefix)) return {};
  const fs::path model = options.model;
  const std::string stem = model.stem().string();
  return {model.parent_path() / (stem + ".toml"), model.parent_path() / "MODEL.toml",
          shippedDescriptions() / (stem + ".toml")};
}

std::string zooNames() {
  std::string names;
  for (const ZooEntry& entry : zooEntries()) {
    if (!names.empty()) names += ", ";
    names += entry.name;
  }
  return names;
}

}  // namespace

std::string zooSummary() {
  std::string text;
  for (const ZooEntry& entry : zooEntries())
    text += fmt::format("  zoo:{:<18}{}\n", entry.name, entry.summary);
  return text;
}

void addModelOptions(CLI::App& app, ModelOptions& options) {
  app.add_option("MODEL", options.model,
                 fmt::format("PATH.onnx, PATH.cfg (weights beside it), or "
                             "zoo:NAME[@SIZE][,classes=N][,width=F], NAME one of {}",
                             zooNames()))
      ->required();
  app.add_option("--weights", options.weights, "Weights of a .cfg");
  app.add_option("--description", options.description,
                 "MODEL.toml: pre-processing, head and labels (default: looked for)");
  app.add_option("--seed", options.seed, "For random weights of a network without trained ones")
      ->capture_default_str();
  app.add_option("--without-pass", options.without_passes,
                 "Leave out a clean-up pass; may be repeated");
}

std::vector<std::string> modelArguments(const ModelOptions& options) {
  std::vector<std::string> words = {options.model, "--seed", std::to_string(options.seed)};
  const auto add = [&](const char* option, const std::string& value) {
    if (value.empty()) return;
    words.emplace_back(option);
    words.push_back(value);
  };
  add("--weights", options.weights);
  add("--description", options.description);
  for (const std::string& pass : options.without_passes) add("--without-pass", pass);
  return words;
}

Result<LoadedModel> loadModel(const ModelOptions& options) {
  NARROWS_TRY(raw, readRawModel(options));
  LoadedModel model{
      raw.name, {}, std::move(raw.description), std::move(raw.description_origin), raw.untrained};
  if (!options.description.empty()) {
    NARROWS_TRY(description, readDescription(options.description));
    model.description = std::move(description);
    model.description_origin = options.description;
  } else {
    for (const fs::path& candidate : descriptionCandidates(options)) {
      if (!fs::exists(candidate)) continue;
      NARROWS_TRY(description, readDescription(candidate));
      model.description = std::move(description);
      model.description_origin = candidate.string();
      break;
    }
  }
  SimplifyOptions simplification;
  simplification.without = options.without_passes;
  NARROWS_TRY(graph, simplify(raw.graph, simplification).within(options.model));
  model.graph = std::move(graph);
  model.graph.name = raw.name;
  return model;
}

Result<ModelDescription> requireDescription(const LoadedModel& model) {
  if (model.description) return *model.description;
  return makeError(
      "nothing says how {} takes its pictures and what its outputs mean; give --description "
      "MODEL.toml "
      "(docs/model-description.md shows one)",
      model.name);
}

}  // namespace narrows
