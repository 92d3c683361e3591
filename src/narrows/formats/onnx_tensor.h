#pragma once

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"
#include "narrows/tensor/tensor.h"

namespace narrows {

/// Reads a serialized onnx.TensorProto with inline data, such as the vectors of the ONNX backend
/// tests.
Result<Tensor> readTensorProto(ByteSpan bytes);

}  // namespace narrows
