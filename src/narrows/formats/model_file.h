#pragma once

#include <filesystem>
#include <optional>

#include "narrows/base/result.h"
#include "narrows/formats/darknet_reader.h"
#include "narrows/formats/onnx_reader.h"
#include "narrows/graph/graph.h"

namespace narrows {

struct ModelReadOptions {
  OnnxReadOptions onnx;
  /// Weights of a .cfg; by default the file beside it with the extension .weights.
  std::optional<std::filesystem::path> weights;
  /// For a .cfg without a weights file: read it with random weights of this seed.
  std::optional<std::uint64_t> random_weights_seed;
};

/// Reads a model by its file name: *.onnx, or *.cfg with its weights.
Result<Graph> readModel(const std::filesystem::path& path, const ModelReadOptions& options = {});

}  // namespace narrows
