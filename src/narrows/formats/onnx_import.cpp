#include "narrows/formats/onnx_import.h"

#include <onnx/onnx_pb.h>

#include "narrows/graph/evaluate.h"
#include "narrows/graph/infer.h"
#include "narrows/tensor/half.h"

namespace narrows {

OperandId OnnxImport::addOperand(Operand operand) {
  const OperandId id(operands_.size());
  operands_.push_back(std::move(operand));
  return id;
}

Status OnnxImport::bind(const std::string& name, OperandId operand) {
  if (!names_.emplace(name, operand).second) return makeError("value \"{}\" is made twice", name);
  return {};
}

OperandId OnnxImport::find(const std::string& name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? OperandId() : found->second;
}

Status OnnxImport::addInput(const std::string& name, const TensorType& type) {
  if (find(name).valid()) return makeError("value \"{}\" is made twice", name);
  return bind(name, addOperand({name, graph_.addInput(name, type), nullptr}));
}

Status OnnxImport::addConstant(const std::string& name, std::shared_ptr<const Tensor> tensor) {
  return bind(name, makeConstant(name, std::move(tensor)));
}

OperandId OnnxImport::makeConstant(std::string_view name, std::shared_ptr<const Tensor> tensor) {
  return addOperand({std::string(name), ValueId(), std::move(tensor)});
}

const TensorType& OnnxImport::type(OperandId id) const {
  const Operand& operand = operands_[id.index()];
  return operand.constant ? operand.constant->type() : graph_.type(operand.value);
}

const std::shared_ptr<const Tensor>& OnnxImport::constant(OperandId id) const {
  return operands_[id.index()].constant;
}

ValueId OnnxImport::materialize(OperandId id) {
  Operand& operand = operands_[id.index()];
  if (!operand.value.valid()) {
    operand.value = graph_.addConstant(operand.name, operand.constant);
  }
  return operand.value;
}

std::string OnnxImport::freeName(std::string_view wanted) const {
  std::string name(wanted);
  for (int suffix = 2; reserved_.contains(name) || graph_.findValue(name).valid(); ++suffix) {
    name = fmt::format("{}_{}", wanted, suffix);
  }
  return name;
}

Status OnnxImport::spend(std::size_t bytes) {
  if (bytes > options_.max_computed_bytes - computed_bytes_) {
    return makeError("computing constants takes more than {} bytes", options_.max_computed_bytes);
  }
  computed_bytes_ += bytes;
  return {};
}

Result<std::vector<Tensor>> OnnxImport::compute(const Op& op, std::span<const OperandId> inputs) {
  std::vector<const Tensor*> tensors;
  std::vector<std::optional<TensorType>> types;
  std::size_t bytes = 0;
  bool any = false;
  for (OperandId input : inputs) {
    if (!input.valid()) {
      tensors.push_back(nullptr);
      types.emplace_back();
      continue;
    }
    if (constant(input) == nullptr) return std::vector<Tensor>();
    any = true;
    tensors.push_back(constant(input).get());
    types.emplace_back(type(input));
    bytes += type(input).bytes();
  }
  if (!any) return std::vector<Tensor>();
  NARROWS_TRY(outputs, inferTypes(op, types));
  std::vector<Tensor> results;
  if (std::holds_alternative<Reshape>(op) || std::holds_alternative<Identity>(op)) {
    results.push_back(
        Tensor::borrow(outputs[0], tensors[0]->view().bytes().data(), constant(inputs[0])));
    return results;
  }
  for (const TensorType& output : outputs) bytes += output.bytes();
  NARROWS_CHECK(spend(bytes));
  auto computed = evaluateConstant(op, tensors);
  if (computed) results = std::move(*computed);
  return results;
}

Result<std::vector<OperandId>> OnnxImport::emit(Op op, std::span<const OperandId> inputs,
                                                std::string_view node_name,
                                                std::span<const std::string> output_names) {
  std::vector<OperandId> outputs;
  auto computed = compute(op, inputs);
  if (!computed.ok()) return computed.takeError().within(opName(op));
  for (std::size_t i = 0; i < computed->size(); ++i) {
    const bool named = i < output_names.size() && !output_names[i].empty();
    outputs.push_back(makeConstant(named ? output_names[i] : freeName(node_name),
                                   std::make_shared<const Tensor>(std::move((*computed)[i]))));
  }
  if (!outputs.empty()) return outputs;
  std::vector<ValueId> values;
  for (OperandId input : inputs) {
    values.push_back(input.valid() ? materialize(input) : ValueId());
  }
  std::vector<std::string> names(output_names.begin(), output_names.end());
  if (names.empty()) names.emplace_back();
  for (std::string& name : names) {
    if (name.empty()) name = freeName(node_name);
  }
  NARROWS_TRY(node, graph_.addNode(std::move(op), std::move(values), node_name, names));
  for (ValueId value : graph_.node(node).outputs) {
    outputs.push_back(addOperand({graph_.value(value).name, value, nullptr}));
  }
  return outputs;
}

NodeImport::NodeImport(OnnxImport& import, onnx::NodeProto& proto, NodeAttributes node_attributes)
    : attributes(std::move(node_attributes)), import_(import), proto_(proto), name_(proto.name()) {
  for (int i = 0; name_.empty() && i < proto_.output_size(); ++i) name_ = proto_.output(i);
  if (name_.empty()) name_ = proto_.op_type();
}

const std::string& NodeImport::operatorName() const {
  return proto_.op_type();
}

std::size_t NodeImport::inputCount() const {
  return static_cast<std::size_t>(proto_.input_size());
}

std::size_t NodeImport::outputCount() const {
  return static_cast<std::size_t>(proto_.output_size());
}

bool NodeImport::hasInput(std::size_t index) const {
  return index < inputCount() && !proto_.input(static_cast<int>(index)).empty();
}

bool NodeImport::hasOutput(std::size_t index) const {
  return index < outputCount() && !proto_.output(static_cast<int>(index)).empty();
}

Result<OperandId> NodeImport::input(std::size_t index) {
  if (!hasInput(index)) return makeError("input {} is missing", index);
  const std::string& wanted = proto_.input(static_cast<int>(index));
  const OperandId id = import_.find(wanted);
  if (!id.valid()) return makeError("reads \"{}\", which nothing before it makes", wanted);
  return id;
}

Result<Ints> NodeImport::integersInput(std::size_t index, std::string_view what) {
  NARROWS_TRY(id, input(index));
  if (!isConstant(id)) {
    return makeError("{} (\"{}\") is not known before the network runs", what,
                     proto_.input(static_cast<int>(index)));
  }
  const Tensor& tensor = constant(id);
  if (tensor.shape().rank() > 1 || tensor.shape().elements() > (1 << 16)) {
    return makeError("{} is {}, expected a short list", what, toString(tensor.shape()));
  }
  if (tensor.dtype() == DType::i64) {
    return Ints(tensor.as<std::int64_t>().begin(), tensor.as<std::int64_t>().end());
  }
  if (tensor.dtype() == DType::i32) {
    return Ints(tensor.as<std::int32_t>().begin(), tensor.as<std::int32_t>().end());
  }
  return makeError("{} is {}, expected i64", what, toString(tensor.dtype()));
}

namespace {

Result<std::vector<double>> toNumbers(const Tensor& tensor, std::string_view what) {
  std::vector<double> numbers;
  const auto append = [&]<class T>(std::span<const T> values) {
    for (T value : values) numbers.push_back(static_cast<double>(value));
  };
  switch (tensor.dtype()) {
    case DType::f32:
      for (float value : tensor.as<float>()) numbers.push_back(decimalValue(value));
      break;
    case DType::f64:
      append(tensor.as<double>());
      break;
    case DType::f16:
      for (std::int64_t i = 0; i < tensor.shape().elements(); ++i) {
        std::uint16_t bits = 0;
        std::memcpy(&bits, tensor.view().bytes().data() + 2 * i, 2);
        numbers.push_back(static_cast<double>(halfToFloat(bits)));
      }
      break;
    case DType::i8:
      append(tensor.as<std::int8_t>());
      break;
    case DType::u8:
      append(tensor.as<std::uint8_t>());
      break;
    case DType::i16:
      append(tensor.as<std::int16_t>());
      break;
    case DType::u16:
      append(tensor.as<std::uint16_t>());
      break;
    case DType::i32:
      append(tensor.as<std::int32_t>());
      break;
    case DType::u32:
      append(tensor.as<std::uint32_t>());
      break;
    case DType::i64:
      append(tensor.as<std::int64_t>());
      break;
    case DType::u64:
      append(tensor.as<std::uint64_t>());
      break;
    case DType::boolean:
      return makeError("{} is boolean, expected numbers", what);
  }
  return numbers;
}

}  // namespace

Result<std::vector<double>> NodeImport::numbersInput(std::size_t index, std::string_view what) {
  NARROWS_TRY(id, input(index));
  if (!isConstant(id)) {
    return makeError("{} (\"{}\") is not known before the network runs", what,
                     proto_.input(static_cast<int>(index)));
  }
  const Tensor& tensor = constant(id);
  if (tensor.shape().elements() > (1 << 16)) {
    return makeError("{} is {}, expected a short list", what, toString(tensor.shape()));
  }
  return toNumbers(tensor, what);
}

Result<double> NodeImport::scalarInput(std::size_t index, std::string_view what) {
  NARROWS_TRY(values, numbersInput(index, what));
  if (values.size() != 1) return makeError("{} has {} elements, expected 1", what, values.size());
  return values[0];
}

Result<OperandId> NodeImport::add(Op op, std::vector<OperandId> inputs) {
  const std::string made = import_.freeName(fmt::format("{}/{}", name_, opName(op)));
  const std::string names[] = {made};
  NARROWS_TRY(outputs, import_.emit(std::move(op), inputs, made, names));
  return outputs[0];
}

OperandId NodeImport::constant(Tensor tensor) {
  return import_.makeConstant(import_.freeName(name_ + "/constant"),
                              std::make_shared<const Tensor>(std::move(tensor)));
}

Result<OperandId> NodeImport::scalar(double value, DType dtype) {
  switch (dtype) {
    case DType::f32:
      return constant(Tensor::scalar(static_cast<float>(value)));
    case DType::f64:
      return constant(Tensor::scalar(value));
    case DType::i32:
      return constant(Tensor::scalar(static_cast<std::int32_t>(value)));
    case DType::i64:
      return constant(Tensor::scalar(static_cast<std::int64_t>(value)));
    case DType::f16: {
      Tensor half(DType::f16, Shape{});
      const std::uint16_t bits = floatToHalf(static_cast<float>(value));
      std::memcpy(half.mutableView().bytes().data(), &bits, sizeof(bits));
      return constant(std::move(half));
    }
    default:
      return makeError("not supported for {}", toString(dtype));
  }
}

Status NodeImport::finish(Op op, std::vector<OperandId> inputs) {
  const std::vector<std::string> names(proto_.output().begin(), proto_.output().end());
  NARROWS_TRY(outputs, import_.emit(std::move(op), inputs, name_, names));
  for (std::size_t i = 0; i < outputCount(); ++i) {
    if (!hasOutput(i)) continue;
    if (i >= outputs.size()) {
      if (import_.find(names[i]).valid()) continue;  // bound by finishConstant
      return makeError("output {} (\"{}\") is not supported", i, names[i]);
    }
    NARROWS_CHECK(import_.bind(names[i], outputs[i]));
  }
  return {};
}

Status NodeImport::finishOperand(OperandId operand, std::size_t output) {
  if (!hasOutput(output)) return {};
  const std::string names[] = {proto_.output(static_cast<int>(output))};
  const OperandId inputs[] = {operand};
  NARROWS_TRY(outputs, import_.emit(Identity{}, inputs, import_.freeName(names[0]), names));
  return import_.bind(names[0], outputs[0]);
}

Status NodeImport::finishConstant(Tensor tensor, std::size_t output) {
  if (!hasOutput(output)) return {};
  return import_.addConstant(proto_.output(static_cast<int>(output)),
                             std::make_shared<const Tensor>(std::move(tensor)));
}

}  // namespace narrows
