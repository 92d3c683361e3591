#pragma once

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"

namespace narrows {

/// Walks the fields of a serialized onnx.ModelProto without building anything. Fails on bytes that
/// are no such message, with the offset, and on more messages and strings than a real model has:
/// two bytes of a hostile file become hundreds in memory.
Status checkModelWire(ByteSpan bytes);

/// The same for an onnx.TensorProto.
Status checkTensorWire(ByteSpan bytes);

}  // namespace narrows
