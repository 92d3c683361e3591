#include "narrows/formats/onnx_test_model.h"

#include <cstring>

namespace narrows::test {
namespace {

std::string varint(std::uint64_t value) {
  std::string out;
  while (value >= 128) {
    out += static_cast<char>((value & 127) | 128);
    value >>= 7;
  }
  return out + static_cast<char>(value);
}

std::string floatField(int field, float value) {
  std::string raw(sizeof(value), '\0');
  std::memcpy(raw.data(), &value, sizeof(value));
  return varint(static_cast<std::uint64_t>(field) << 3 | 5) + raw;
}

template <class T>
std::string rawOf(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

constexpr int kInt = 2, kFloat = 1, kString = 3, kFloats = 6, kInts = 7;

}  // namespace

std::string OnnxTestModel::varintField(int field, std::int64_t value) {
  return varint(static_cast<std::uint64_t>(field) << 3) + varint(static_cast<std::uint64_t>(value));
}

std::string OnnxTestModel::bytesField(int field, std::string_view value) {
  return varint(static_cast<std::uint64_t>(field) << 3 | 2) + varint(value.size()) +
         std::string(value);
}

std::string OnnxTestModel::external(std::string_view key, std::string_view value) {
  return bytesField(13, bytesField(1, key) + bytesField(2, value));
}

namespace {

std::string valueInfo(std::string_view name, const Ints& extents, std::int64_t dtype) {
  using Model = OnnxTestModel;
  std::string shape;
  for (std::int64_t extent : extents) {
    shape += Model::bytesField(
        1, extent < 0 ? Model::bytesField(2, "N") : Model::varintField(1, extent));
  }
  const std::string tensor = Model::varintField(1, dtype) + Model::bytesField(2, shape);
  return Model::bytesField(1, name) + Model::bytesField(2, Model::bytesField(1, tensor));
}

std::string attribute(std::string_view name, int type, const std::string& fields) {
  using Model = OnnxTestModel;
  return Model::bytesField(5, Model::bytesField(1, name) + Model::varintField(20, type) + fields);
}

}  // namespace

OnnxTestModel& OnnxTestModel::input(std::string_view name, const Ints& extents,
                                    std::int64_t dtype) {
  inputs_ += bytesField(11, valueInfo(name, extents, dtype));
  return *this;
}

OnnxTestModel& OnnxTestModel::output(std::string_view name) {
  outputs_ += bytesField(12, bytesField(1, name));
  return *this;
}

OnnxTestModel& OnnxTestModel::output(std::string_view name, const Ints& extents,
                                     std::int64_t dtype) {
  outputs_ += bytesField(12, valueInfo(name, extents, dtype));
  return *this;
}

OnnxTestModel& OnnxTestModel::tensor(std::string_view name, const Ints& extents, std::int64_t dtype,
                                     std::string_view fields) {
  std::string message;
  for (std::int64_t extent : extents) message += varintField(1, extent);
  message += varintField(2, dtype) + bytesField(8, name) + std::string(fields);
  initializers_ += bytesField(5, message);
  return *this;
}

OnnxTestModel& OnnxTestModel::floats(std::string_view name, const Ints& extents,
                                     const std::vector<float>& values) {
  return tensor(name, extents, 1, bytesField(9, rawOf(values)));
}

OnnxTestModel& OnnxTestModel::ints(std::string_view name, const Ints& values) {
  return tensor(name, {static_cast<std::int64_t>(values.size())}, 7, bytesField(9, rawOf(values)));
}

OnnxTestModel::Node& OnnxTestModel::Node::with(std::string_view name, std::int64_t value) {
  fields_ += attribute(name, kInt, varintField(3, value));
  return *this;
}

OnnxTestModel::Node& OnnxTestModel::Node::with(std::string_view name, double value) {
  fields_ += attribute(name, kFloat, floatField(2, static_cast<float>(value)));
  return *this;
}

OnnxTestModel::Node& OnnxTestModel::Node::with(std::string_view name, const Ints& values) {
  std::string fields;
  for (std::int64_t value : values) fields += varintField(8, value);
  fields_ += attribute(name, kInts, fields);
  return *this;
}

OnnxTestModel::Node& OnnxTestModel::Node::with(std::string_view name,
                                               const std::vector<float>& values) {
  std::string fields;
  for (float value : values) fields += floatField(7, value);
  fields_ += attribute(name, kFloats, fields);
  return *this;
}

OnnxTestModel::Node& OnnxTestModel::Node::with(std::string_view name, const char* text) {
  fields_ += attribute(name, kString, bytesField(4, text));
  return *this;
}

OnnxTestModel::Node& OnnxTestModel::node(std::string_view operator_name,
                                         const std::vector<std::string>& inputs,
                                         const std::vector<std::string>& outputs,
                                         std::string_view name, std::string_view domain) {
  Node& node = nodes_.emplace_back();
  for (const std::string& input : inputs) node.fields_ += bytesField(1, input);
  for (const std::string& output : outputs) node.fields_ += bytesField(2, output);
  if (!name.empty()) node.fields_ += bytesField(3, name);
  node.fields_ += bytesField(4, operator_name);
  if (!domain.empty()) node.fields_ += bytesField(7, domain);
  return node;
}

ByteVector OnnxTestModel::bytes() const {
  std::string graph;
  for (const Node& node : nodes_) graph += bytesField(1, node.fields_);
  graph += bytesField(2, "test") + initializers_ + inputs_ + outputs_;
  const std::string model =
      varintField(1, 8) + bytesField(7, graph) + bytesField(8, varintField(2, opset_));
  const ByteSpan view = asBytes(model);
  return {view.begin(), view.end()};
}

}  // namespace narrows::test
