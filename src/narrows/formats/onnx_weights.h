#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "narrows/base/file.h"
#include "narrows/base/result.h"
#include "narrows/formats/onnx_proto.h"
#include "narrows/tensor/tensor.h"

namespace narrows {

/// The files with external data that a model may read: those below its directory.
class ExternalFiles {
 public:
  /// Without a directory only the known files are there, by location.
  explicit ExternalFiles(
      std::optional<std::filesystem::path> directory,
      std::unordered_map<std::string, std::shared_ptr<const MappedFile>> known_files = {})
      : directory_(std::move(directory)), files_(std::move(known_files)) {}

  /// Maps the file at `location`, relative to the directory; the same file once only.
  Result<std::shared_ptr<const MappedFile>> open(const std::string& location);

 private:
  std::optional<std::filesystem::path> directory_;
  std::unordered_map<std::string, std::shared_ptr<const MappedFile>> files_;
};

/// The dtype of onnx.TensorProto.DataType `code`.
Result<DType> dtypeFromOnnx(std::int64_t code);

/// Makes a tensor of a message. Raw data is moved out of the message, not copied.
Result<Tensor> takeTensor(onnx::TensorProto& proto, ExternalFiles& files);

}  // namespace narrows
