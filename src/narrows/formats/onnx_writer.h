#pragma once

#include <filesystem>
#include <optional>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"
#include "narrows/graph/graph.h"

namespace narrows {

/// Version of the operator set and of the format that are written.
inline constexpr std::int64_t kWrittenOpset = 17;
inline constexpr std::int64_t kWrittenIrVersion = 8;

/// Writes `graph` as an ONNX model that any runtime executes. Operators that opset 17 lacks are
/// written as several nodes. Names of inputs, outputs, constants and nodes are kept.
///
/// With `weights`, a file in the directory of `model`, constants of 1 KiB or more go there as
/// external data, each at a multiple of 64 bytes; otherwise all are inside the model, which fails
/// above protobuf's 2 GiB. Both files appear whole or not at all, the weights first.
Status writeOnnx(const Graph& graph, const std::filesystem::path& model,
                 const std::optional<std::filesystem::path>& weights = std::nullopt);

/// The same with all constants inside, in memory.
Result<ByteVector> serializeOnnx(const Graph& graph);

}  // namespace narrows
