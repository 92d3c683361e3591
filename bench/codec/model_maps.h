#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "bench/codec/map_case.h"
#include "narrows/base/result.h"
#include "narrows/codec/params.h"

namespace narrows::bench {

struct ModelMapOptions {
  /// Where the .onnx and .cfg files are.
  std::filesystem::path models;
  /// Folder of each unpacked data set, by name.
  std::map<std::string, std::filesystem::path> data;
  /// Widths of the uniform quantizer.
  std::vector<int> bits{1, 2, 3, 4, 8};
  std::vector<Granularity> granularities{Granularity::channel, Granularity::tensor};
  /// As many as `narrows split` takes unless told.
  std::size_t calibration_pictures = 64;
  std::size_t measured_pictures = 3;
  /// Only cuts whose "MODEL/CUT" holds this text.
  std::string filter;
};

/// Maps of a fixed list of cuts, early to late, of the shared models, run on pictures of their data
/// sets. Quantizers are calibrated on the calibration pictures, none of which is measured.
Status forEachModelMap(const ModelMapOptions& options,
                       const std::function<Status(const MapCase&)>& use);

}  // namespace narrows::bench
