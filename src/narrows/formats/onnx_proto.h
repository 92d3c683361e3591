#pragma once

// The generated classes that the ONNX adapter passes between its files; their header is included by
// sources only.
namespace onnx {
class AttributeProto;
class GraphProto;
class ModelProto;
class NodeProto;
class TensorProto;
class ValueInfoProto;
}  // namespace onnx
