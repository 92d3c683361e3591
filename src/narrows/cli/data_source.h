#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <string>

#include "narrows/base/result.h"
#include "narrows/data/dataset.h"
#include "narrows/vision/description.h"

namespace narrows {

/// How a command's user names pictures.
struct DataSourceOptions {
  std::string path;
  std::string split;
  std::string layout = "auto";
  std::size_t limit = 0;
};

/// Pictures to calibrate with; by default other ones of the data set.
struct CalibrationOptions {
  std::string path;
  std::string split;
  std::size_t pictures = 64;
};

/// Adds --data, --split, --layout and --limit.
void addDataOptions(CLI::App& app, DataSourceOptions& options, bool required);
/// Adds --calibration, --calibration-split and --calibration-images.
void addCalibrationOptions(CLI::App& app, CalibrationOptions& options);

Result<DataSet> openData(const DataSourceOptions& options, const ModelDescription& description);

struct CalibrationSet {
  DataSet data;
  /// What the pictures are, for a line to the user.
  std::string origin;
};
/// The set that was named; else the train split of the data set; else its first pictures, and then
/// the origin says that they are scored too.
Result<CalibrationSet> openCalibration(const CalibrationOptions& options,
                                       const DataSourceOptions& data,
                                       const ModelDescription& description);

}  // namespace narrows
