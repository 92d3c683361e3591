#include "narrows/formats/model_file.h"

#include <algorithm>
#include <cctype>

namespace narrows {
namespace {

std::string lowerExtension(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

Result<DarknetModel> readCfg(const std::filesystem::path& path, const ModelReadOptions& options) {
  std::filesystem::path weights = path;
  weights.replace_extension(".weights");
  if (options.weights) weights = *options.weights;
  std::error_code ignored;
  const bool exists = std::filesystem::exists(weights, ignored);
  if (!exists && !options.weights && options.random_weights_seed) {
    return readDarknet(path, DarknetRandomWeights{*options.random_weights_seed});
  }
  return readDarknet(path, weights);
}

}  // namespace

Result<Graph> readModel(const std::filesystem::path& path, const ModelReadOptions& options) {
  const std::string extension = lowerExtension(path);
  if (extension == ".onnx") return readOnnx(path, options.onnx);
  if (extension == ".cfg") {
    NARROWS_TRY(model, readCfg(path, options));
    return std::move(model.graph);
  }
  return makeError("{}: unknown kind of model, expected .onnx or .cfg", path.string());
}

}  // namespace narrows
