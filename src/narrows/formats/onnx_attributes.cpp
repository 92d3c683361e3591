#include "narrows/formats/onnx_attributes.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace narrows {

using onnx::AttributeProto;

double decimalValue(float value) {
  if (!std::isfinite(value)) return static_cast<double>(value);
  std::array<char, 64> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), value);
  double decimal = 0;
  std::from_chars(text.data(), written.ptr, decimal);
  return decimal;
}

Result<NodeAttributes> NodeAttributes::create(onnx::NodeProto& node) {
  constexpr int kMaxAttributes = 256;
  if (node.attribute_size() > kMaxAttributes) {
    return makeError("{} attributes, at most {} are accepted", node.attribute_size(),
                     kMaxAttributes);
  }
  for (int i = 0; i < node.attribute_size(); ++i) {
    for (int j = 0; j < i; ++j) {
      if (node.attribute(i).name() == node.attribute(j).name()) {
        return makeError("attribute \"{}\" occurs twice", node.attribute(i).name());
      }
    }
  }
  return NodeAttributes(node);
}

AttributeProto* NodeAttributes::find(std::string_view name) const {
  for (AttributeProto& attribute : *node_->mutable_attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

Result<AttributeProto*> NodeAttributes::use(std::string_view name, int type,
                                            std::string_view type_name) {
  AttributeProto* attribute = find(name);
  if (attribute == nullptr) return attribute;
  if (attribute->type() != type) {
    return makeError("attribute \"{}\" is not {}", name, type_name);
  }
  used_.push_back(attribute->name());
  return attribute;
}

Result<std::int64_t> NodeAttributes::integer(std::string_view name, std::int64_t fallback) {
  NARROWS_TRY(attribute, use(name, AttributeProto::INT, "an integer"));
  return attribute == nullptr ? fallback : static_cast<std::int64_t>(attribute->i());
}

Result<bool> NodeAttributes::flag(std::string_view name, bool fallback) {
  NARROWS_TRY(value, integer(name, fallback ? 1 : 0));
  return value != 0;
}

Result<double> NodeAttributes::number(std::string_view name, double fallback) {
  NARROWS_TRY(attribute, use(name, AttributeProto::FLOAT, "a number"));
  return attribute == nullptr ? fallback : decimalValue(attribute->f());
}

Result<std::string> NodeAttributes::text(std::string_view name, std::string_view fallback) {
  NARROWS_TRY(attribute, use(name, AttributeProto::STRING, "text"));
  return attribute == nullptr ? std::string(fallback) : attribute->s();
}

Result<Ints> NodeAttributes::integers(std::string_view name, Ints fallback) {
  NARROWS_TRY(attribute, use(name, AttributeProto::INTS, "a list of integers"));
  if (attribute == nullptr) return fallback;
  return Ints(attribute->ints().begin(), attribute->ints().end());
}

Result<std::vector<double>> NodeAttributes::numbers(std::string_view name) {
  NARROWS_TRY(attribute, use(name, AttributeProto::FLOATS, "a list of numbers"));
  std::vector<double> values;
  if (attribute == nullptr) return values;
  for (float value : attribute->floats()) values.push_back(decimalValue(value));
  return values;
}

Result<onnx::TensorProto*> NodeAttributes::tensor(std::string_view name) {
  NARROWS_TRY(attribute, use(name, AttributeProto::TENSOR, "a tensor"));
  onnx::TensorProto* tensor = attribute == nullptr ? nullptr : attribute->mutable_t();
  return tensor;
}

void NodeAttributes::ignore(std::initializer_list<std::string_view> names) {
  used_.insert(used_.end(), names.begin(), names.end());
}

Status NodeAttributes::expectAllUsed() const {
  for (const AttributeProto& attribute : node_->attribute()) {
    if (std::find(used_.begin(), used_.end(), attribute.name()) == used_.end()) {
      return makeError("attribute \"{}\" is not supported", attribute.name());
    }
  }
  return {};
}

}  // namespace narrows
