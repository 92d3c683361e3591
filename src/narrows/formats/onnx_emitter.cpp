#include "narrows/formats/onnx_emitter.h"

#include <onnx/onnx_pb.h>

namespace narrows {

using onnx::AttributeProto;
using onnx::TensorProto;

std::int32_t onnxCode(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return TensorProto::FLOAT;
    case DType::f64:
      return TensorProto::DOUBLE;
    case DType::f16:
      return TensorProto::FLOAT16;
    case DType::i8:
      return TensorProto::INT8;
    case DType::u8:
      return TensorProto::UINT8;
    case DType::i16:
      return TensorProto::INT16;
    case DType::u16:
      return TensorProto::UINT16;
    case DType::i32:
      return TensorProto::INT32;
    case DType::u32:
      return TensorProto::UINT32;
    case DType::i64:
      return TensorProto::INT64;
    case DType::u64:
      return TensorProto::UINT64;
    case DType::boolean:
      return TensorProto::BOOL;
  }
  return TensorProto::UNDEFINED;
}

void OnnxEmitter::Attribute::addTo(onnx::NodeProto& node) const {
  AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(std::string(name_));
  switch (kind_) {
    case Kind::integer:
      attribute.set_type(AttributeProto::INT);
      attribute.set_i(integer_);
      break;
    case Kind::number:
      attribute.set_type(AttributeProto::FLOAT);
      attribute.set_f(static_cast<float>(number_));
      break;
    case Kind::integers:
      attribute.set_type(AttributeProto::INTS);
      for (std::int64_t value : integers_) attribute.add_ints(value);
      break;
    case Kind::text:
      attribute.set_type(AttributeProto::STRING);
      attribute.set_s(std::string(text_));
      break;
  }
}

OnnxEmitter::OnnxEmitter(const Graph& graph, onnx::GraphProto& proto)
    : graph_(graph), proto_(proto) {
  for (const Value& value : graph.values()) names_.insert(value.name);
}

std::string OnnxEmitter::freshName(std::string_view wanted) {
  std::string name(wanted);
  for (int suffix = 2; !names_.insert(name).second; ++suffix) {
    name = fmt::format("{}_{}", wanted, suffix);
  }
  return name;
}

void OnnxEmitter::addNode(std::string_view operator_name, std::string_view node_name,
                          std::span<const std::string> inputs, std::span<const std::string> outputs,
                          std::initializer_list<Attribute> attributes) {
  onnx::NodeProto& node = *proto_.add_node();
  node.set_op_type(std::string(operator_name));
  node.set_name(std::string(node_name));
  for (const std::string& input : inputs) node.add_input(input);
  for (const std::string& output : outputs) node.add_output(output);
  for (const Attribute& attribute : attributes) attribute.addTo(node);
}

void OnnxEmitter::addInitializer(const std::string& name, std::shared_ptr<const Tensor> tensor) {
  TensorProto& proto = *proto_.add_initializer();
  proto.set_name(name);
  proto.set_data_type(onnxCode(tensor->dtype()));
  for (std::int64_t extent : tensor->shape().extents()) proto.add_dims(extent);
  initializers_.push_back({&proto, std::move(tensor)});
}

std::string OnnxEmitter::addConstant(std::string_view wanted_name, Tensor tensor) {
  std::string name = freshName(wanted_name);
  addInitializer(name, std::make_shared<const Tensor>(std::move(tensor)));
  return name;
}

}  // namespace narrows
