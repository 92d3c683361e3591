#include "narrows/cli/data_source.h"

#include <algorithm>
#include <array>

namespace narrows {
namespace {

Result<DataSet> open(const DataSourceOptions& options, const std::string& split, std::size_t limit,
                     const ModelDescription& description) {
  DataOptions data;
  const auto layout = parseDataLayout(options.layout);
  if (!layout) return makeError("--layout: there is no layout \"{}\"", options.layout);
  data.layout = *layout;
  data.split = split;
  data.labels = description.labels;
  data.limit = limit;
  return openDataSet(options.path, data);
}

/// `count` items spread evenly over the set, so that the first class alone does not calibrate.
void keepSpread(DataSet& data, std::size_t count) {
  const std::size_t total = data.items.size();
  if (count == 0 || count >= total) return;
  std::vector<DataItem> kept;
  for (std::size_t i = 0; i < count; ++i) kept.push_back(data.items[i * total / count]);
  data.items = std::move(kept);
}

}  // namespace

void addDataOptions(CLI::App& app, DataSourceOptions& options, bool required) {
  app.add_option("--data", options.path,
                 "Data set: YOLO-txt, VOC, class folders, Tiny-ImageNet, labels.tsv, or pictures")
      ->required(required);
  app.add_option("--split", options.split, "Split of the data set (default: val where it has one)");
  app.add_option("--layout", options.layout, "Layout of the data set (default: found out)");
  app.add_option("--limit", options.limit, "Score only the first N pictures (0: all)");
}

void addCalibrationOptions(CLI::App& app, CalibrationOptions& options) {
  app.add_option("--calibration", options.path,
                 "Pictures to calibrate the quantizers with (default: the train split of --data)");
  app.add_option("--calibration-split", options.split, "Split of the calibration set");
  app.add_option("--calibration-images", options.pictures,
                 "Pictures to calibrate with, spread over the set (0: all)")
      ->capture_default_str();
}

Result<DataSet> openData(const DataSourceOptions& options, const ModelDescription& description) {
  return open(options, options.split, options.limit, description);
}

Result<CalibrationSet> openCalibration(const CalibrationOptions& options,
                                       const DataSourceOptions& data,
                                       const ModelDescription& description) {
  if (!options.path.empty() || !options.split.empty()) {
    DataSourceOptions source = data;
    if (!options.path.empty()) {
      source.path = options.path;
      source.layout = "auto";
    }
    NARROWS_TRY(set, open(source, options.split, 0, description));
    keepSpread(set, options.pictures);
    return CalibrationSet{std::move(set),
                          source.path + (options.split.empty() ? "" : " (" + options.split + ")")};
  }
  for (const char* split : {"train", "train2017"}) {
    if (data.split == split) continue;
    auto set = open(data, split, 0, description);
    if (!set.ok()) continue;
    keepSpread(*set, options.pictures);
    return CalibrationSet{std::move(*set), fmt::format("{} ({})", data.path, split)};
  }
  NARROWS_TRY(set, open(data, data.split, 0, description));
  keepSpread(set, options.pictures);
  return CalibrationSet{std::move(set), data.path + ", pictures that are scored too"};
}

}  // namespace narrows
