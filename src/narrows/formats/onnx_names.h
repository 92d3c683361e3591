#pragma once

#include "narrows/graph/ops.h"

namespace narrows {

/// Names of operators and attribute values in the ONNX format. Null for a unary kind that opset 17
/// lacks.
const char* onnxName(UnaryKind kind);
const char* onnxName(BinaryKind kind);
const char* onnxName(ReduceKind kind);
const char* onnxName(PadMode mode);
/// half_pixel_symmetric, which opset 17 lacks, is half_pixel here.
const char* onnxName(ResizeCoordinates coordinates);
const char* onnxName(ResizeRounding rounding);
const char* onnxName(ResizeMode mode);

}  // namespace narrows
