#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "narrows/base/byte_io.h"
#include "narrows/base/file.h"
#include "narrows/base/result.h"
#include "narrows/graph/graph.h"

namespace narrows {

/// Opsets of the default domain that are read.
inline constexpr std::int64_t kOldestOpset = 7;
inline constexpr std::int64_t kNewestOpset = 28;

struct OnnxReadOptions {
  /// Shapes of inputs with symbolic extents, by input name. They must agree with the extents that
  /// the file fixes.
  std::unordered_map<std::string, Shape> input_shapes;
  /// Graph inputs that become constants.
  std::unordered_map<std::string, Tensor> constants;
  /// External data that is mapped already, by location; looked up before the directory.
  std::unordered_map<std::string, std::shared_ptr<const MappedFile>> external_files;
  /// Extent of a symbolic first axis of an input that `input_shapes` does not name.
  std::int64_t batch = 1;
  /// Most bytes that constants computed while reading (ConstantOfShape, Expand, ...) may take
  /// together.
  std::size_t max_computed_bytes = std::size_t{1} << 31;
};

/// Reads an ONNX model. Shapes become static and shape arithmetic is computed here; operators
/// without a struct in graph/ops.h are expressed by those that have one. Weights inside the file
/// are copied once; weights in external files are mapped, and copied only where they are not
/// aligned for their type. Names of values and nodes are kept.
///
/// External data is read only from regular files below the model's directory: an absolute path,
/// "..", a link that leaves the directory, and a range beyond the file's end are errors. All
/// operators that are not supported are named in one error. Control flow, sequences, strings,
/// sparse tensors and dtypes that Tensor lacks are not supported.
Result<Graph> readOnnx(const std::filesystem::path& path, const OnnxReadOptions& options = {});

/// The same from memory; without `external_directory` external data is an error.
Result<Graph> readOnnx(ByteSpan bytes, const OnnxReadOptions& options = {},
                       const std::optional<std::filesystem::path>& external_directory = {});

}  // namespace narrows
