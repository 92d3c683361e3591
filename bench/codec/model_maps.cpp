#include "bench/codec/model_maps.h"

#include <fmt/format.h>

#include <algorithm>

#include "narrows/cli/model_source.h"
#include "narrows/codec/calibrator.h"
#include "narrows/codec/quantizer.h"
#include "narrows/data/dataset.h"
#include "narrows/engine/engine.h"
#include "narrows/eval/pictures.h"
#include "narrows/eval/piece_runner.h"
#include "narrows/graph/cuts.h"
#include "narrows/graph/extract.h"

namespace narrows::bench {
namespace {

struct ModelCuts {
  const char* model;
  const char* data;
  std::vector<const char*> cuts;
};

const std::vector<ModelCuts>& modelCuts() {
  static const std::vector<ModelCuts> kCuts = {
      {"squeezenet1_0-imagenet.onnx",
       "imagenet-1k-samples-256",
       {"pool1", "fire2/squeeze_relu", "fire3/concat", "pool4", "fire5/concat", "pool8"}},
      {"mobilenetv2-imagenet.onnx",
       "imagenet-1k-samples-256",
       {"conv00", "add00", "add02", "conv30", "add05"}},
      {"resnet20-cifar10.onnx",
       "cifar10-test-jpg",
       {"relu1", "layer1.2.relu2", "layer2.2.relu2", "layer3.0.relu2"}},
      {"yolo-fastest-1.1-coco.cfg",
       "coco128",
       {"layer3", "layer11", "layer24", "layer36", "layer60"}},
      {"mobilenetv2-yolov3-nano-voc.cfg", "coco128", {"layer5", "layer12", "layer36"}},
      {"fastestdet.onnx", "coco128", {"input.8", "old_x.7", "input.516"}},
      {"ultraface-rfb-320-simplified.onnx", "coco128", {"256", "283"}},
      {"yolox_nano.onnx", "coco128", {"input.15", "input.75", "input.167"}},
  };
  return kCuts;
}

/// Feature maps of the cuts of one model: [cut][picture].
struct FeatureMaps {
  std::vector<std::string> cuts;
  std::vector<std::vector<Tensor>> maps;
};

/// Pictures spread over a set; those measured lie between those that calibrate.
std::vector<DataItem> choosePictures(const std::vector<DataItem>& items, std::size_t calibration,
                                     std::size_t measured) {
  std::vector<DataItem> chosen;
  const std::size_t total = items.size();
  std::vector<bool> used(total, false);
  for (std::size_t i = 0; i < calibration; ++i) {
    used[i * total / calibration] = true;
    chosen.push_back(items[i * total / calibration]);
  }
  for (std::size_t i = 0; i < measured; ++i) {
    std::size_t at = (2 * i + 1) * total / (2 * measured);
    while (used[at]) at = (at + 1) % total;
    used[at] = true;
    chosen.push_back(items[at]);
  }
  return chosen;
}

Tensor copyOf(TensorView map) {
  Tensor copy(map.type());
  std::copy(map.bytes().begin(), map.bytes().end(), copy.mutableView().bytes().begin());
  return copy;
}

Result<FeatureMaps> runModel(const ModelMapOptions& options, const ModelCuts& entry,
                             const std::vector<std::string>& cuts) {
  const auto folder = options.data.find(entry.data);
  if (folder == options.data.end()) return makeError("no --data {}=FOLDER was given", entry.data);
  ModelOptions source;
  source.model = (options.models / entry.model).string();
  NARROWS_TRY(model, loadModel(source));
  NARROWS_TRY(description, requireDescription(model));
  DataOptions data_options;
  data_options.labels = description.labels;
  NARROWS_TRY(data, openDataSet(folder->second, data_options));
  const std::size_t wanted = options.calibration_pictures + options.measured_pictures;
  if (data.items.size() < wanted) {
    return makeError("{} has {} pictures, {} are asked for", entry.data, data.items.size(), wanted);
  }
  const std::vector<DataItem> items =
      choosePictures(data.items, options.calibration_pictures, options.measured_pictures);

  FeatureMaps result;
  std::vector<ValueId> values;
  for (const std::string& name : cuts) {
    NARROWS_TRY(cut, findCut(model.graph, name));
    if (cut.values.size() != 1) return makeError("cut {} has several tensors", name);
    values.push_back(cut.values[0]);
  }
  result.cuts = cuts;
  result.maps.resize(cuts.size());
  NARROWS_TRY(engine, makeEngine(defaultEngineName()));
  NARROWS_TRY(node, extractPiece(model.graph, model.graph.inputs(), values, "node"));
  NARROWS_TRY(runner, PieceRunner::create(*engine, node, 1));
  PictureSource pictures(items, description.preprocessing);
  for (std::size_t i = 0; i < items.size(); ++i) {
    NARROWS_TRY(picture, pictures.get(i));
    const Tensor input = normalizeImage(picture.image, description.preprocessing);
    const TensorView view = input.view();
    NARROWS_TRY(outputs, runner.run({&view, 1}));
    for (std::size_t c = 0; c < outputs.size(); ++c) result.maps[c].push_back(copyOf(outputs[c]));
  }
  return result;
}

Result<MapCase> quantizeMaps(const ModelMapOptions& options, const std::string& name,
                             Granularity granularity, const std::vector<Tensor>& maps,
                             const QuantizerCalibrator& calibrator, int bits) {
  FeatureInterface interface;
  interface.type = maps[0].type();
  NARROWS_TRY(quantizer, calibrator.fit(QuantizerKind::uniform, bits));
  interface.quantizer = std::move(quantizer);
  const std::string group = fmt::format("per_{}", toString(granularity));
  MapCase result{fmt::format("{} {}", name, group), group, symbolLayout(interface), {}, {}};
  for (std::size_t i = 0; i < maps.size(); ++i) {
    SymbolMap symbols(result.layout.symbols());
    quantize(maps[i], interface.quantizer, symbols);
    auto& part = i < options.calibration_pictures ? result.calibration : result.measured;
    part.push_back(std::move(symbols));
  }
  return result;
}

Status useCut(const ModelMapOptions& options, const std::string& name,
              const std::vector<Tensor>& maps, const std::function<Status(const MapCase&)>& use) {
  for (const Granularity granularity : options.granularities) {
    NARROWS_TRY(calibrator, QuantizerCalibrator::create(maps[0].type(), granularity));
    for (std::size_t i = 0; i < options.calibration_pictures; ++i) calibrator.observe(maps[i]);
    for (const int bits : options.bits) {
      NARROWS_TRY(quantized, quantizeMaps(options, name, granularity, maps, calibrator, bits));
      NARROWS_CHECK(use(quantized));
    }
  }
  return {};
}

}  // namespace

Status forEachModelMap(const ModelMapOptions& options,
                       const std::function<Status(const MapCase&)>& use) {
  for (const ModelCuts& entry : modelCuts()) {
    const std::string model = std::filesystem::path(entry.model).stem().string();
    std::vector<std::string> cuts;
    for (const char* cut : entry.cuts) {
      if ((model + "/" + cut).find(options.filter) != std::string::npos) cuts.emplace_back(cut);
    }
    if (cuts.empty()) continue;
    fmt::print(stderr, "{}\n", model);
    NARROWS_TRY(features, runModel(options, entry, cuts).within(model));
    for (std::size_t c = 0; c < cuts.size(); ++c) {
      NARROWS_CHECK(useCut(options, model + "/" + cuts[c], features.maps[c], use).within(cuts[c]));
      features.maps[c].clear();
    }
  }
  return {};
}

}  // namespace narrows::bench
